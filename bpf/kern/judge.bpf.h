/* SPDX-License-Identifier: GPL-2.0-only */
/* From "who" and "what" to the return value of a hook. */
#ifndef BZ_JUDGE_H
#define BZ_JUDGE_H

/* The acting task's subject if it is governed at all: labelled, and past systemd's own preparation of the
 * unit. */
static __always_inline struct bz_subject *governed(struct task_struct *task)
{
	struct bz_subject *subject = subject_of(task);

	if (!subject) {
		relabel_current();
		subject = subject_of(task);
		if (!subject)
			return 0;
	}
	return subject->service ? subject : 0;
}

static __always_inline struct bz_policy *policy_of(__u32 service, __u64 epoch)
{
	__u32 index = ((epoch & 1) * BZ_SERVICES + service) & (2 * BZ_SERVICES - 1);
	struct bz_policy *policy = bpf_map_lookup_elem(&policies, &index);

	if (policy && policy->flags & BZ_POLICY_KNOWN)
		return policy;
	/* Entry 0 holds what goes for a service that nobody has named yet. */
	index = (epoch & 1) * BZ_SERVICES;
	return bpf_map_lookup_elem(&policies, &index);
}

/*
 * Judges one access to what needs `need`, and tells what is to be told. The record's object is in `act`
 * already. Returns 0 or -EPERM.
 */
static __always_inline int judge(struct bz_subject *subject, const __u64 *need, __u64 flags, __u32 access,
				 struct act *act)
{
	struct bz_policy *policy = policy_of(subject->service, act->epoch);
	struct decision decision;

	if (!policy || policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	act->service = subject->service;
	act->access = access;
	if (GUARD(own) && flags & BZ_LABEL_OWN && access == BZ_WRITE &&
	    !(policy->flags & BZ_POLICY_OPERATOR)) {
		act->why = BZ_WHY_TAMPER;
		act->verdict = BZ_DENY;
		tell(act);
		return -EPERM;
	}
	decide(policy, need, access, &decision);
	act->why = BZ_WHY_CAPABILITY;
	act->verdict = decision.verdict;
	if (decision.missing) {
		act->capabilities = decision.missing;
		tell(act);
	}
	if (decision.observed) {
		act->capabilities = decision.observed;
		act->verdict = BZ_ALLOW;
		act->observation = 1;
		tell(act);
		act->observation = 0;
	}
	if (decision.verdict == BZ_DENY)
		return -EPERM;
	return 0;
}

/* An object whose path cannot be told: refused where the service has any `prevent` for writing, else
 * recorded. */
static __always_inline int judge_unresolved(struct bz_subject *subject, struct act *act)
{
	struct bz_policy *policy = policy_of(subject->service, act->epoch);

	lose(BZ_UNRESOLVED);
	if (!policy || policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	act->service = subject->service;
	act->why = BZ_WHY_CAPABILITY;
	act->verdict = policy->prevent[BZ_WRITE] ? BZ_DENY : BZ_AUDIT;
	act->capabilities = policy->prevent[BZ_WRITE];
	tell(act);
	if (act->verdict == BZ_DENY)
		return -EPERM;
	return 0;
}

/* `access` is an argument of its own: after a call to tell() the verifier no longer knows what `act` holds.
 */
static __always_inline int judge_label(struct bz_subject *subject, struct bz_label *label, __u32 access,
				       struct act *act)
{
	if (!label)
		return 0;
	if (!label->need[access] && !(label->flags & BZ_LABEL_OWN))
		return 0;
	return judge(subject, label->need, label->flags, access, act);
}

/* Judges an access to an inode by the name under which it was reached. */
static __always_inline int judge_inode(struct bz_subject *subject, struct dentry *dentry, struct inode *inode,
				       __u32 access, struct act *act)
{
	__u64 word = word_of(dentry, inode, act->epoch);
	int refused;

	act->access = access;
	if (word == UNRESOLVED)
		return judge_unresolved(subject, act);
	refused = judge_label(subject, label_of_word(word, act->epoch), access, act);
	if (refused)
		return refused;
	if (GUARD(links) && word & WORD_LINKED)
		return judge_label(subject, link_label(inode), access, act);
	return 0;
}

/* Judges a change of a name, whatever is behind it; with `whole`, of everything below it as well. */
static __always_inline int judge_name(struct bz_subject *subject, bool whole, struct act *act)
{
	bool unresolved = false;
	struct bz_label *label = label_of_name(act->dentry, act->epoch, whole, &unresolved);

	if (unresolved)
		return judge_unresolved(subject, act);
	return judge_label(subject, label, BZ_WRITE, act);
}

/* Judges a kernel operation (enum bz_operation) aimed at act->dentry. */
static __always_inline int judge_operation(struct bz_subject *subject, __u32 operation, struct act *act)
{
	__u32 index = ((act->epoch & 1) * BZ_OPERATIONS + operation) & (2 * BZ_OPERATIONS - 1);
	__u64 *mask = bpf_map_lookup_elem(&operations, &index);
	__u64 need[BZ_ACCESSES] = {};

	if (!mask || !*mask)
		return 0;
	need[BZ_OPERATE] = *mask;
	act->object = BZ_OBJECT_OPERATION;
	act->operation = operation;
	return judge(subject, need, 0, BZ_OPERATE, act);
}

#endif
