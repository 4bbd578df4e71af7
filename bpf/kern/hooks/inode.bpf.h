/* SPDX-License-Identifier: GPL-2.0-only */
/* Names: making, removing, moving and linking them. The upkeep runs for every task, governed or not. */
#ifndef BZ_HOOK_INODE_H
#define BZ_HOOK_INODE_H

static __always_inline int check_name(struct dentry *dentry, bool whole)
{
	__u32 service = governed();

	return service ? judge_name(service, dentry, whole, 0, control.epoch) : 0;
}

/* A name for a file, a program, a device. */
static __always_inline int check_made(struct dentry *dentry, umode_t mode, dev_t device)
{
	__u32 service = governed();
	__u64 epoch = control.epoch, kind = 0;

	if (!service)
		return 0;
	kind = need_of_mode(mode, epoch);
	if (is_device_node(mode, device))
		kind |= needed(BZ_KIND_DEVICE, epoch);
	return judge_name(service, dentry, false, kind, epoch);
}

/* A directory takes along what is below it, and so does a symbolic link what is below the directory that it
 * leads to. */
static __always_inline bool is_tree(struct inode *inode)
{
	if (!inode || !GUARD(whole))
		return false;
	return is_directory(inode) || (GUARD(pointer) && (inode->i_mode & S_IFMT) == S_IFLNK);
}

static __always_inline int check_rename(struct dentry *from, struct dentry *to)
{
	__u32 service = governed();
	struct inode *inode = from->d_inode, *target = to->d_inode;
	__u64 epoch = control.epoch, kind;
	/* What a directory holds comes to lie below the new name, whether or not there was anything. */
	bool whole = is_tree(inode) || is_tree(target), unresolved = false;
	int verdict = 0;

	if (service) {
		kind = need_of_program(inode, epoch);
		verdict = judge_name(service, from, whole, kind, epoch);
		if (verdict < 0)
			return verdict;
		/* What is replaced counts for its own name only. */
		kind |= need_of_program(target, epoch);
		verdict = both(verdict, judge_name(service, to, whole, kind, epoch));
		if (verdict < 0)
			return verdict;
	}
	if (inode)
		forget_word(inode);
	if (target)
		forget_word(target);
	/* A file with other names carries what this one needs to them. */
	if (GUARD(rename_upkeep) && inode && inode->i_nlink > 1 && !is_directory(inode))
		merge(inode, label_of_name(to, epoch, false, &unresolved));
	return verdict;
}

/* Both names now mean one inode: what either needs, the inode needs by whatever name. */
static __always_inline int check_link(struct dentry *from, struct dentry *to)
{
	__u32 service = governed();
	struct inode *inode = from->d_inode;
	__u64 epoch = control.epoch, kind;
	struct bz_label *old, *fresh;
	bool unresolved = false;
	int verdict = 0;

	/* 7.3 wants to see this; a link is only ever made to an inode. */
	if (!inode)
		return 0;
	if (service) {
		kind = need_of_program(inode, epoch);
		verdict = judge_inode(service, from, inode, BZ_WRITE, kind, epoch);
		if (verdict < 0)
			return verdict;
		verdict = both(verdict, judge_name(service, to, is_tree(inode), kind, epoch));
		if (verdict < 0)
			return verdict;
	}
	old = label_of_name(from, epoch, false, &unresolved);
	fresh = label_of_name(to, epoch, false, &unresolved);
	if (old == fresh)
		fresh = 0;
	if (GUARD(link_upkeep)) {
		merge(inode, old);
		merge(inode, fresh);
	}
	return verdict;
}

/* The move has happened: cached labels below a moved directory are stale. */
static __always_inline void moved(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (GUARD(moved) && inode && is_directory(inode))
		__sync_fetch_and_add(&control.epoch, 2);
}

#endif
