/* SPDX-License-Identifier: GPL-2.0-only */
/* The decision: pure, and the same as policy/src/decide.rs. */
#ifndef BZ_DECIDE_H
#define BZ_DECIDE_H

struct decision {
	__u64 missing;	/* capabilities that the record names */
	__u64 observed; /* what a learning service did and its model lacks; nothing when the act is refused */
	__u32 verdict;
};

/* `starting`: what only a start needs is granted as well. */
static __always_inline void decide(const struct bz_policy *policy, __u64 need, __u32 access, bool starting,
				   struct decision *out)
{
	__u64 missing, denied, audited;

	out->missing = 0;
	out->observed = 0;
	out->verdict = BZ_ALLOW;
	if (access >= BZ_ACCESSES)
		return;
	missing = need & ~policy->granted[access];
	if (starting)
		missing &= ~policy->at_start[access];
	denied = missing & policy->prevent[access];
	if (denied) {
		out->missing = denied;
		out->verdict = BZ_DENY;
		return;
	}
	audited = missing & policy->alert[access];
	if (audited) {
		out->missing = audited;
		out->verdict = BZ_AUDIT;
	}
	if (policy->flags & BZ_POLICY_LEARNING)
		out->observed = missing;
}

#endif
