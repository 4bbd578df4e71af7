/* SPDX-License-Identifier: GPL-2.0-only */
/* From "who" and "what" to the return value of a hook. */
#ifndef BZ_JUDGE_H
#define BZ_JUDGE_H

#define LAST_MIX 0x9e3779b97f4a7c15ull
#define LAST_SERVICE 0xffffull

/* Looks the acting task's label up, and leaves the answer to this CPU. Global, so that the verifier looks at
 * it once. */
__noinline __u32 find_subject(__u64 changes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = subject_of(task);
	__u64 word = changes << 16;
	struct bz_last *last;
	__u32 zero = 0;

	if (!subject) {
		relabel_current();
		subject = subject_of(task);
		if (!subject)
			return 0;
	}
	if (subject->service && !(subject->flags & BZ_SUBJECT_PREPARING))
		word |= subject->service & LAST_SERVICE;
	last = bpf_map_lookup_elem(&last_subject, &zero);
	if (last) {
		*(volatile __u64 *)&last->check = bpf_get_current_task() + word * LAST_MIX;
		*(volatile __u64 *)&last->word = word;
	}
	return word & LAST_SERVICE;
}

/*
 * The acting task's service, 0 unless it is governed: labelled, and past systemd's own preparation of the
 * unit. Another task may run on this CPU between any two of these loads; then the words do not belong
 * together, and the label is looked up. The number of changes is read first: what is found afterwards is at
 * least as new.
 */
static __always_inline __u32 governed(void)
{
	__u64 changes = *(volatile __u64 *)&control.changes, word;
	struct bz_last *last;
	__u32 zero = 0;

	last = bpf_map_lookup_elem(&last_subject, &zero);
	if (last) {
		word = *(volatile __u64 *)&last->word;
		if (word >> 16 == changes &&
		    *(volatile __u64 *)&last->check == bpf_get_current_task() + word * LAST_MIX)
			return word & LAST_SERVICE;
	}
	return find_subject(changes);
}

/* For a service that the revision does not know its entry says what goes for all such. */
static __always_inline struct bz_policy *policy_of(__u32 service, __u64 epoch)
{
	__u32 index = ((epoch & 1) * BZ_SERVICES + service) & (2 * BZ_SERVICES - 1);

	return bpf_map_lookup_elem(&policies, &index);
}

/* What judge() is told beside the object (low byte) and the operation (next byte). */
#define ACT_OWN (1u << 16)	  /* aimed at Bartizan itself */
#define ACT_UNRESOLVED (1u << 17) /* the path of the object cannot be told */
#define ACT_PROGRAM (1u << 18)	  /* only to be observed: which program a service runs */

#define ACT_SLOT (1u << 19) /* the revision in slot 1 judges */

#define ACT_OPERATION(operation) (BZ_OBJECT_OPERATION | (operation) << 8)

/* An act on Bartizan: refused to every service but those that never are. */
static __always_inline int judge_tampering(struct act *act)
{
	act->why = BZ_WHY_TAMPER;
	act->verdict = BZ_DENY;
	tell(act);
	return -EPERM;
}

/* Refused where the service has any `prevent` for writing, else recorded. */
static __always_inline int judge_unresolved(struct bz_policy *policy, struct act *act)
{
	__u64 prevented = policy->prevent[BZ_WRITE];

	lose(BZ_UNRESOLVED);
	act->verdict = prevented ? BZ_DENY : BZ_AUDIT;
	act->capabilities = prevented;
	tell(act);
	return prevented ? -EPERM : AUDITED;
}

/*
 * What is left of the start of a task's unit. Asked only where the answer may matter. An active service has
 * three times as long for what it was seen to do in its starts as it had when it was learned: a boot may be
 * slow.
 */
static __always_inline void look_at_start(struct bz_policy *policy, __u64 need, struct act *act,
					  bool *starting)
{
	bool learning = policy->flags & BZ_POLICY_LEARNING;
	struct bz_subject *subject;
	__u64 which, left;

	*starting = false;
	if (!learning && !(need & policy->at_start[act->access]))
		return;
	subject = subject_of(bpf_get_current_task_btf());
	/* Read once: 6.12 does not follow that a start which goes on has a label ("R3 invalid mem access
	 * 'scalar'"). */
	which = subject ? subject->starting : 0;
	left = left_of_start(which);
	*starting = learning ? left * 3 > control.start_time * 2 : left > 0;
	act->start = learning && *starting ? which : 0;
}

/*
 * Decides, and tells what is to be told. Off the path of what is granted or needs nothing, and a global
 * function, so that the verifier looks at it once and not for every hook; hence plain numbers only. `who` is
 * the service, and the access in the upper half.
 */
__noinline int judge(__u64 who, __u64 need, __u64 dentry, __u64 named, __u32 what)
{
	__u32 access = who >> 32, slot = what & ACT_SLOT ? 1 : 0;
	struct act act = {
	    .dentry = dentry, .named = named, .task = bpf_get_current_task(), .slot = slot, .service = who};
	struct bz_policy *policy = policy_of(act.service, slot);
	struct decision decision;
	bool starting;

	if (!policy || policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	/* Without the barrier the bound is checked on another register than the one that is used. */
	asm volatile("" : "+r"(access));
	if (access >= BZ_ACCESSES)
		return -EPERM;
	act.access = access;
	act.object = what;
	act.operation = what >> 8;
	if (need == BZ_OWN) {
		what |= ACT_OWN;
		need = 0;
	}
	/* An operator may write our files, and do nothing else to us. */
	if (what & ACT_OWN && GUARD(own) && !(access == BZ_WRITE && policy->flags & BZ_POLICY_OPERATOR))
		return judge_tampering(&act);
	if (what & ACT_UNRESOLVED)
		return judge_unresolved(policy, &act);
	act.observation = 1;
	if (what & ACT_PROGRAM) {
		act.why = BZ_WHY_PROGRAM;
		/* What was told of a service that was learning is told once more when it no longer is. */
		if (!(policy->flags & BZ_POLICY_LEARNING))
			act.verdict = BZ_AUDIT;
		tell(&act);
		return 0;
	}
	look_at_start(policy, need, &act, &starting);
	decide(policy, need, access, starting, &decision);
	if (decision.observed) {
		act.capabilities = decision.observed;
		tell(&act);
	}
	act.observation = 0;
	act.start = 0;
	act.verdict = decision.verdict;
	if (decision.missing) {
		act.capabilities = decision.missing;
		tell(&act);
	}
	if (decision.verdict == BZ_DENY)
		return -EPERM;
	return decision.missing ? AUDITED : 0;
}

static __always_inline int ask_judge(__u32 service, __u32 access, __u64 need, struct dentry *dentry,
				     __u64 epoch, __u32 what)
{
	__u64 address = dentry ? address_of((__u64)dentry) : 0, named = dentry ? name_of(dentry) : 0;

	if (epoch & 1)
		what |= ACT_SLOT;
	return judge((__u64)access << 32 | service, need, address, named, what);
}

/* What is granted or needs nothing ends here. */
static __always_inline int judge_need(__u32 service, __u32 access, __u64 need, struct dentry *dentry,
				      __u64 epoch)
{
	struct bz_policy *policy;

	if (!need)
		return 0;
	policy = policy_of(service, epoch);
	if (policy && !(need & ~policy->granted[access]))
		return 0;
	return ask_judge(service, access, need, dentry, epoch, 0);
}

/* What an operation or a kind of file needs (enum bz_operation). */
static __always_inline __u64 needed(__u32 operation, __u64 epoch)
{
	__u32 index = ((epoch & 1) * BZ_OPERATIONS + operation) & (2 * BZ_OPERATIONS - 1);
	__u64 *mask = bpf_map_lookup_elem(&operations, &index);

	return mask ? *mask : 0;
}

/* What an inode means: by the name under which it was reached, and by its other names. */
struct meaning {
	struct bz_label *label;
	struct bz_label *other;
};

static __always_inline struct meaning meaning_of(__u64 word, struct inode *inode, __u64 epoch)
{
	struct meaning meaning = {.label = label_of_word(word, epoch)};

	if (GUARD(links) && word & WORD_LINKED)
		meaning.other = link_label(inode);
	return meaning;
}

/* Judges an access to what has this meaning; `kind` is what it needs for what it is. */
static __always_inline int judge_meaning(__u32 service, struct meaning *meaning, __u32 access, __u64 kind,
					 struct dentry *dentry, __u64 epoch)
{
	if (meaning->label)
		kind |= meaning->label->need[access];
	if (meaning->other)
		kind |= meaning->other->need[access];
	return judge_need(service, access, kind, dentry, epoch);
}

static __always_inline int judge_inode(__u32 service, struct dentry *dentry, struct inode *inode,
				       __u32 access, __u64 kind, __u64 epoch)
{
	__u64 word = word_of(dentry, inode, epoch);
	struct meaning meaning;

	if (word == UNRESOLVED)
		return ask_judge(service, access, 0, dentry, epoch, ACT_UNRESOLVED);
	meaning = meaning_of(word, inode, epoch);
	return judge_meaning(service, &meaning, access, kind, dentry, epoch);
}

/* Judges a change of a name, whatever is behind it; with `whole`, of everything below it as well. */
static __always_inline int judge_name(__u32 service, struct dentry *dentry, bool whole, __u64 kind,
				      __u64 epoch)
{
	bool unresolved = false;
	struct bz_label *label = label_of_name(dentry, epoch, whole, &unresolved);

	if (unresolved)
		return ask_judge(service, BZ_WRITE, 0, dentry, epoch, ACT_UNRESOLVED);
	if (label)
		kind |= label->need[BZ_WRITE];
	return judge_need(service, BZ_WRITE, kind, dentry, epoch);
}

/* Judges a kernel operation (enum bz_operation), aimed at an object that may have no name. */
static __always_inline int judge_operation(__u32 service, __u32 operation, struct dentry *dentry)
{
	__u64 epoch = control.epoch, need = needed(operation, epoch);
	struct bz_policy *policy;

	if (!need)
		return 0;
	policy = policy_of(service, epoch);
	if (policy && !(need & ~policy->granted[BZ_OPERATE]))
		return 0;
	return ask_judge(service, BZ_OPERATE, need, dentry, epoch, ACT_OPERATION(operation));
}

/* An operation on Bartizan itself. */
static __always_inline int judge_own(__u32 service, __u32 operation, struct dentry *dentry)
{
	return ask_judge(service, BZ_OPERATE, 0, dentry, control.epoch, ACT_OPERATION(operation) | ACT_OWN);
}

#endif
