/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes with several names: what any of the names needs, the inode needs by whatever name. */
#ifndef BZ_LINK_H
#define BZ_LINK_H

/* Never 0, which means "not known yet". */
static __always_inline __u64 generation_of(struct inode *inode)
{
	return (__u64)inode->i_generation | 1ull << 32;
}

static __always_inline struct bz_inode_key key_of_inode(struct inode *inode)
{
	struct bz_inode_key key = {.dev = inode->i_sb->s_dev, .ino = inode->i_ino};

	return key;
}

/* The same, for this life of the number only. */
static __always_inline struct bz_inode_key key_of_this_inode(struct inode *inode)
{
	struct bz_inode_key key = key_of_inode(inode);

	key.dev |= (__u64)inode->i_generation << 32;
	return key;
}

/* Whether a service wrote it that may not install. */
static __always_inline bool is_written(struct inode *inode)
{
	struct bz_inode_key key = key_of_this_inode(inode);

	return bpf_map_lookup_elem(&written, &key);
}

static __always_inline struct bz_label *link_label(struct inode *inode)
{
	struct bz_inode_key key = key_of_inode(inode);
	struct bz_link *link = bpf_map_lookup_elem(&links, &key);

	if (!link)
		return 0;
	if (!link->generation)
		link->generation = generation_of(inode);
	return link->generation == generation_of(inode) ? &link->label : 0;
}

/*
 * Adds to what an inode with several names needs. `generation` 0: not known, see struct bz_link. What user
 * space found (`late`) may be gone by now, and the entry another's: whose it is cannot be told then, rather a
 * label too many than one too few.
 */
static __always_inline void add_link(struct bz_inode_key *key, __u64 generation, struct bz_label *label,
				     bool late)
{
	struct bz_link fresh = {.label = *label, .generation = generation};
	struct bz_link *known = bpf_map_lookup_elem(&links, key);
	bool another = known && known->generation && known->generation != generation;
	int i;

	if (!known || (another && !late)) {
		/* The entry of an inode that is gone is not added to but replaced. */
		if (bpf_map_update_elem(&links, key, &fresh, known ? BPF_ANY : BPF_NOEXIST) == 0)
			return;
		known = bpf_map_lookup_elem(&links, key);
		if (!known) {
			lose(BZ_LOST_LINK);
			return;
		}
		another = known->generation != generation;
	}
	for (i = 0; i < BZ_ACCESSES; i++)
		__sync_fetch_and_or(&known->label.need[i], label->need[i]);
	__sync_fetch_and_or(&known->label.flags, label->flags);
	if (another)
		known->generation = 0;
}

static __always_inline void enter(struct inode *inode, struct bz_label *label)
{
	struct bz_inode_key key = {.dev = inode->i_sb->s_dev, .ino = inode->i_ino};

	add_link(&key, generation_of(inode), label, false);
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

#endif
