/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening files, and getting them opened by others. */
#ifndef BZ_HOOK_FILE_H
#define BZ_HOOK_FILE_H

/*
 * Whether it is a cgroup's list of members, wherever the cgroup is: cgroup.procs, cgroup.threads, and `tasks`
 * of version 1. Whoever moves another service's process into a cgroup of his own can kill or freeze it there,
 * and no hook is asked about the signal.
 */
static __always_inline bool is_members(struct dentry *dentry, struct inode *inode)
{
	__u64 magic = inode->i_sb->s_magic;
	char name[8] = {};

	if (!GUARD(members) || (magic != CGROUP2_SUPER_MAGIC && magic != CGROUP_SUPER_MAGIC))
		return false;
	bpf_probe_read_kernel(name, sizeof(name), dentry->d_name.name);
	return !__builtin_memcmp(name, "cgroup.p", 8) || !__builtin_memcmp(name, "cgroup.t", 8) ||
	       !__builtin_memcmp(name, "tasks", 6);
}

static __always_inline int check_open(struct file *file)
{
	__u32 service = governed();
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	__u64 epoch = control.epoch, kind, word;
	struct meaning meaning;
	int verdict = 0;
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
		verdict = judge_meaning(service, &meaning, BZ_WRITE, kind | need_of_program(inode, epoch),
					dentry, epoch);
		if (verdict < 0)
			return verdict;
		if (is_members(dentry, inode))
			verdict = both(verdict, judge_operation(service, BZ_OP_MEMBERS, dentry));
		if (verdict < 0)
			return verdict;
		remember_written(service, inode, epoch);
	}
	if (!(file->f_mode & FMODE_READ))
		return verdict;
	return both(verdict, judge_meaning(service, &meaning, BZ_READ, kind, dentry, epoch));
}

#endif
