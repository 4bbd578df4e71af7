/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening files and changing what they are. */
#ifndef BZ_HOOK_FILE_H
#define BZ_HOOK_FILE_H

static __always_inline int check_open(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct dentry *dentry = file->f_path.dentry;
	struct act act = {.dentry = (__u64)dentry, .task = (__u64)task};
	fmode_t mode = file->f_mode;
	int refused;

	/* The open that precedes an execution is judged as one, by bprm_check_security. */
	if (!subject || subject->flags & BZ_SUBJECT_PREPARING || file->f_flags & FMODE_EXEC)
		return 0;
	act.epoch = control.epoch;
	/* O_RDONLY|O_TRUNC empties the file all the same. The change of size would meet inode_setattr as
	 * well. */
	if (mode & FMODE_WRITE || file->f_flags & O_TRUNC) {
		refused = judge_inode(subject, dentry, file->f_inode, BZ_WRITE, &act);
		if (refused)
			return refused;
	}
	if (!(mode & FMODE_READ))
		return 0;
	return judge_inode(subject, dentry, file->f_inode, BZ_READ, &act);
}

static __always_inline int check_setattr(struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.dentry = (__u64)dentry, .task = (__u64)task, .access = BZ_WRITE};
	struct inode *inode = dentry->d_inode;

	if (!inode || !subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	act.epoch = control.epoch;
	return judge_inode(subject, dentry, inode, BZ_WRITE, &act);
}

#endif
