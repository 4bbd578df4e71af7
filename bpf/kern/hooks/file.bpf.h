/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening files, and getting them opened by others. */
#ifndef BZ_HOOK_FILE_H
#define BZ_HOOK_FILE_H

static __always_inline int check_open(struct file *file)
{
	__u32 service = governed();
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	__u64 epoch = control.epoch, kind, word;
	struct meaning meaning;
	bool writes;

	/* The open that precedes an execution is judged as one, by bprm_check_security. */
	if (!service || file->f_flags & FMODE_EXEC)
		return 0;
	/* O_RDONLY|O_TRUNC empties the file all the same. The change of size would meet inode_setattr as
	 * well. */
	writes = file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC;
	word = word_of(dentry, inode, epoch);
	if (word == UNRESOLVED)
		return ask_judge(service, writes ? BZ_WRITE : BZ_READ, 0, dentry, epoch, ACT_UNRESOLVED);
	meaning = meaning_of(word, inode, epoch);
	kind = need_of_device(inode, epoch);
	if (writes) {
		if (judge_meaning(service, &meaning, BZ_WRITE, kind | need_of_program(inode, epoch), dentry,
				  epoch))
			return -EPERM;
		remember_written(service, inode, epoch);
	}
	if (!(file->f_mode & FMODE_READ))
		return 0;
	return judge_meaning(service, &meaning, BZ_READ, kind, dentry, epoch);
}

#endif
