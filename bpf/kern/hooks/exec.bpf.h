/* SPDX-License-Identifier: GPL-2.0-only */
/* Execution: programs that are started, and files that are mapped to be executed, as ld.so does with PROGRAM.
 */
#ifndef BZ_HOOK_EXEC_H
#define BZ_HOOK_EXEC_H

/* Judges the execution of a file by its name, and by what it is: nameless (memfd, deleted) or written by a
 * service. `kind`: what executing any file needs that is not spared by the name under which it was reached.
 */
static __always_inline int judge_execution(__u32 service, struct file *file, __u64 word, __u64 kind,
					   __u64 epoch)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	struct meaning meaning;

	if (word == UNRESOLVED)
		return ask_judge(service, BZ_EXECUTE, 0, dentry, epoch, ACT_UNRESOLVED);
	meaning = meaning_of(word, inode, epoch);
	if (kind && meaning.label)
		kind &= ~meaning.label->spared;
	if (GUARD(nameless) && !inode->i_nlink)
		kind |= needed(BZ_KIND_NAMELESS, epoch);
	if (word & WORD_WRITTEN || may_be_written(&meaning, inode, epoch))
		kind |= needed(BZ_KIND_WRITTEN, epoch);
	return judge_meaning(service, &meaning, BZ_EXECUTE, kind, dentry, epoch);
}

static __always_inline int check_exec(struct linux_binprm *bprm)
{
	__u32 service = governed();
	struct file *file = bprm->file;
	struct dentry *dentry = file->f_path.dentry;
	__u64 epoch = control.epoch, word;
	struct bz_subject *subject = 0;
	struct bz_policy *policy;
	struct bz_label *label;
	int verdict;

	if (!service) {
		subject = subject_of(bpf_get_current_task_btf());
		if (!subject || !(subject->flags & (BZ_SUBJECT_BORN | BZ_SUBJECT_PREPARING)))
			return 0;
	}
	word = word_of(dentry, file->f_inode, epoch);
	if (subject) {
		/* systemd >= 255 runs its executor in the unit's cgroup first: that is not the service yet.
		 */
		label = word == UNRESOLVED ? 0 : label_of_word(word, epoch);
		if (label && label->flags & BZ_LABEL_EXECUTOR) {
			subject->flags |= BZ_SUBJECT_EXECUTOR;
			return 0;
		}
		service = subject->service;
		if (!service)
			return 0;
	}
	verdict = judge_execution(service, file, word, GUARD(executed) ? needed(BZ_KIND_EXECUTED, epoch) : 0,
				  epoch);
	/* What is refused was not started. */
	if (verdict < 0)
		return verdict;
	policy = policy_of(service, epoch);
	if (policy && policy->flags & (BZ_POLICY_LEARNING | (GUARD(anomalous) ? BZ_POLICY_ANOMALOUS : 0)))
		ask_judge(service, BZ_EXECUTE, 0, dentry, epoch, ACT_PROGRAM);
	return verdict;
}

/* Starting a program gave privilege: its file is set-user-id or set-group-id to another, or has capabilities.
 */
static __always_inline int check_privilege(struct linux_binprm *bprm, const struct file *file)
{
	__u32 service = governed();
	const struct cred *old, *fresh = bprm->cred;
	__u64 before, after;

	if (!service || !fresh)
		return 0;
	old = bpf_get_current_task_btf()->cred;
	if (fresh->euid.val == old->euid.val && fresh->egid.val == old->egid.val) {
		/* Root regains by every execution what it dropped: that comes from no file. */
		if (!fresh->euid.val)
			return 0;
		bpf_core_read(&before, sizeof(before), &old->cap_permitted);
		bpf_core_read(&after, sizeof(after), &fresh->cap_permitted);
		if (!(after & ~before))
			return 0;
	}
	return judge_operation(service, BZ_OP_PRIVILEGE, file->f_path.dentry);
}

/* A file becomes executable memory. The kernel maps the program itself, too, which was judged when it was
 * started. */
static __always_inline int check_mapping(struct file *file, unsigned long protection)
{
	__u32 service;
	struct mm_struct *mm;
	struct file *exe;
	__u64 epoch;

	if (!file || !(protection & PROT_EXEC))
		return 0;
	service = governed();
	if (!service)
		return 0;
	mm = bpf_get_current_task_btf()->mm;
	exe = mm ? mm->exe_file : 0;
	if (exe && exe->f_inode == file->f_inode)
		return 0;
	epoch = control.epoch;
	return judge_execution(service, file, word_of(file->f_path.dentry, file->f_inode, epoch), 0, epoch);
}

static __always_inline int check_protection(struct vm_area_struct *area, unsigned long protection)
{
	if (!(protection & PROT_EXEC) || area->vm_flags & VM_EXEC)
		return 0;
	return check_mapping(area->vm_file, protection);
}

#endif
