/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening files, and getting them opened by others. */
#ifndef BZ_HOOK_FILE_H
#define BZ_HOOK_FILE_H

static __always_inline int check_open(struct file *file)
{
	struct bz_subject *subject = governed();
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	fmode_t mode = file->f_mode;
	__u64 epoch = control.epoch, kind;
	int refused;

	/* The open that precedes an execution is judged as one, by bprm_check_security. */
	if (!subject || file->f_flags & FMODE_EXEC)
		return 0;
	kind = need_of_device(inode, epoch);
	/* O_RDONLY|O_TRUNC empties the file all the same. The change of size would meet inode_setattr as
	 * well. */
	if (mode & FMODE_WRITE || file->f_flags & O_TRUNC) {
		refused = judge_inode(subject, dentry, inode, BZ_WRITE, kind | need_of_program(inode, epoch),
				      epoch);
		if (refused)
			return refused;
		remember_written(subject, inode, epoch);
	}
	if (!(mode & FMODE_READ))
		return 0;
	return judge_inode(subject, dentry, inode, BZ_READ, kind, epoch);
}

#endif
