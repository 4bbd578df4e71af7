/* SPDX-License-Identifier: GPL-2.0-only */
/* Execution. */
#ifndef BZ_HOOK_EXEC_H
#define BZ_HOOK_EXEC_H

/* Which programs a learning service runs, whether or not they have a label. */
static __always_inline void observe_program(struct bz_subject *subject, struct act *act)
{
	struct bz_policy *policy = policy_of(subject->service, act->epoch);

	if (!policy || !(policy->flags & BZ_POLICY_LEARNING))
		return;
	act->service = subject->service;
	act->why = BZ_WHY_PROGRAM;
	act->observation = 1;
	tell(act);
	act->observation = 0;
}

static __always_inline int check_exec(struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = subject_of(task);
	struct file *file = bprm->file;
	struct dentry *dentry = file->f_path.dentry;
	struct act act = {.dentry = (__u64)dentry, .task = (__u64)task, .access = BZ_EXECUTE};
	struct bz_label *label;
	__u64 word;

	if (!subject) {
		relabel_current();
		subject = subject_of(task);
	}
	if (!subject)
		return 0;
	act.epoch = control.epoch;
	if (subject->flags & (BZ_SUBJECT_BORN | BZ_SUBJECT_PREPARING)) {
		/* systemd >= 255 runs its executor in the unit's cgroup first: that is not the service yet.
		 */
		word = word_of(dentry, file->f_inode, act.epoch);
		label = word == UNRESOLVED ? 0 : label_of_word(word, act.epoch);
		if (label && label->flags & BZ_LABEL_EXECUTOR) {
			subject->flags |= BZ_SUBJECT_EXECUTOR;
			return 0;
		}
	}
	if (!subject->service)
		return 0;
	observe_program(subject, &act);
	return judge_inode(subject, dentry, file->f_inode, BZ_EXECUTE, &act);
}

#endif
