/* SPDX-License-Identifier: GPL-2.0-only */
/* Names: making, removing, moving and linking them. The upkeep runs for every task, governed or not. */
#ifndef BZ_HOOK_INODE_H
#define BZ_HOOK_INODE_H

static __always_inline int check_name(struct dentry *dentry, bool whole)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.dentry = (__u64)dentry, .task = (__u64)task, .access = BZ_WRITE};

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	act.epoch = control.epoch;
	return judge_name(subject, whole, &act);
}

/* A directory takes along what is below it. */
static __always_inline bool is_tree(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return GUARD(whole) && inode && is_directory(inode);
}

static __always_inline int check_rename(struct dentry *from, struct dentry *to)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {
	    .dentry = (__u64)from, .task = (__u64)task, .access = BZ_WRITE, .epoch = control.epoch};
	struct inode *inode = from->d_inode;
	/* What a directory holds comes to lie below the new name, whether or not there was anything. */
	bool whole = is_tree(from) || is_tree(to), unresolved = false;

	if (subject && !(subject->flags & BZ_SUBJECT_PREPARING)) {
		if (judge_name(subject, whole, &act))
			return -EPERM;
		act.dentry = (__u64)to;
		if (judge_name(subject, whole, &act))
			return -EPERM;
	}
	/* A file with other names carries what this one needs to them. */
	if (GUARD(rename_upkeep) && inode && inode->i_nlink > 1 && !is_directory(inode))
		merge(inode, label_of_name((__u64)to, act.epoch, false, &unresolved));
	return 0;
}

/* Both names now mean one inode: what either needs, the inode needs by whatever name. */
static __always_inline int check_link(struct dentry *from, struct dentry *to)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.task = (__u64)task, .access = BZ_WRITE, .epoch = control.epoch};
	struct inode *inode = from->d_inode;
	struct bz_label *old, *fresh;
	bool unresolved = false;
	int refused;

	/* 7.3 wants to see this; a link is only ever made to an inode. */
	if (!inode)
		return 0;
	if (subject && !(subject->flags & BZ_SUBJECT_PREPARING)) {
		act.dentry = (__u64)from;
		refused = judge_inode(subject, from, inode, BZ_WRITE, &act);
		if (refused)
			return refused;
		act.dentry = (__u64)to;
		refused = judge_name(subject, false, &act);
		if (refused)
			return refused;
	}
	old = label_of_name((__u64)from, act.epoch, false, &unresolved);
	fresh = label_of_name((__u64)to, act.epoch, false, &unresolved);
	if (old == fresh)
		fresh = 0;
	if (GUARD(link_upkeep)) {
		merge(inode, old);
		merge(inode, fresh);
	}
	return 0;
}

/* The move has happened: cached labels below a moved directory are stale. */
static __always_inline void moved(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (GUARD(moved) && inode && is_directory(inode))
		__sync_fetch_and_add(&control.epoch, 2);
}

#endif
