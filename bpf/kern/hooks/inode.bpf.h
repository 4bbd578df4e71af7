/* SPDX-License-Identifier: GPL-2.0-only */
/* Names: making, removing, moving and linking them. The upkeep runs for every task, governed or not. */
#ifndef BZ_HOOK_INODE_H
#define BZ_HOOK_INODE_H

static __always_inline int check_name(struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.dentry = (__u64)dentry, .task = (__u64)task, .access = BZ_WRITE};

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	act.epoch = control.epoch;
	return judge_name(subject, &act);
}

static __always_inline void enter(struct inode *inode, struct bz_label *label)
{
	struct bz_inode_key key = {.dev = inode->i_sb->s_dev, .ino = inode->i_ino};
	struct bz_link fresh = {.generation = generation_of(inode)};
	struct bz_link *known;
	int i;

	known = bpf_map_lookup_elem(&links, &key);
	if (!known || (known->generation && known->generation != fresh.generation)) {
		/* The entry of an inode that is gone is not added to but replaced. */
		fresh.label = *label;
		if (bpf_map_update_elem(&links, &key, &fresh, known ? BPF_ANY : BPF_NOEXIST) == 0)
			return;
		known = bpf_map_lookup_elem(&links, &key);
		if (!known) {
			lose(BZ_LOST_LINK);
			return;
		}
	}
	for (i = 0; i < BZ_ACCESSES; i++)
		__sync_fetch_and_or(&known->label.need[i], label->need[i]);
	__sync_fetch_and_or(&known->label.flags, label->flags);
}

/* Not inlined: the walk for the other name needs the stack. */
static __noinline int merge(struct inode *inode, struct bz_label *label)
{
	if (!label)
		return 0;
	enter(inode, label);
	/* Words cached before now do not know that there is something to ask. */
	__sync_fetch_and_add(&control.epoch, 2);
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
		refused = judge_name(subject, &act);
		if (refused)
			return refused;
	}
	old = label_of_name((__u64)from, act.epoch, &unresolved);
	fresh = label_of_name((__u64)to, act.epoch, &unresolved);
	if (old == fresh)
		fresh = 0;
	merge(inode, old);
	merge(inode, fresh);
	return 0;
}

/* The move has happened: cached labels below a moved directory are stale. */
static __always_inline void moved(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (inode && (inode->i_mode & S_IFMT) == S_IFDIR)
		__sync_fetch_and_add(&control.epoch, 2);
}

#endif
