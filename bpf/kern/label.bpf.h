/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is touched: the label of an inode. The dentry chain is walked up to the root of its file system and
 * down again through the trie, and the result is cached in inode storage as ONE word, so that no reader ever
 * combines the key of one name with the label of another:
 *
 *   63 .. 18  tag: epoch, parent inode number and name hash, keyed
 *         17  the inode has several names: ask `links` as well
 *         16  a directory: the rest is a node, not a label
 *   15 ..  0  label or node
 */
#ifndef BZ_LABEL_H
#define BZ_LABEL_H

#define WORD_LINKED (1ull << 17)
#define WORD_DIRECTORY (1ull << 16)
#define WORD_ID 0xffffull
#define WORD_TAG (~0ull << 18)
#define UNRESOLVED 0xffffffffu
#define WALK_UP 1024 /* deepest path that is still resolved, components */

/* Renames move dentries under this sequence lock: odd while one is at work. */
extern const void rename_lock __ksym;

static __always_inline __u32 rename_sequence(void)
{
	__u32 sequence = 0;

	bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock);
	return sequence;
}

static __always_inline __u64 tag_of(__u64 epoch, __u64 parent, __u64 hash_len)
{
	__u64 h = (epoch ^ control.salt) * 0x9e3779b97f4a7c15ull;

	h = (h ^ parent ^ (h >> 31)) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ hash_len ^ (h >> 29)) * 0x94d049bb133111ebull;
	return h ^ (h >> 32);
}

/* 7.3 passes only plain numbers to a global function, and reading a pointer back from the stack makes it one.
 */
static __always_inline __u64 address_of(__u64 pointer)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/* Two loads: 6.1's verifier does not let one load span both halves of the union. */
static __always_inline __u64 hash_len_of(struct dentry *dentry)
{
	return (__u64)dentry->d_name.len << 32 | dentry->d_name.hash;
}

struct climb {
	__u64 ring[BZ_RING]; /* the last dentries passed, by depth modulo BZ_RING */
	__u64 dentry;
	__u32 depth;
	__u32 done;
};

static long climb_one(__u32 index, void *context)
{
	struct climb *climb = context;
	struct dentry *dentry = (struct dentry *)climb->dentry;
	__u64 parent = (__u64)BPF_CORE_READ(dentry, d_parent);
	__u64 slot;

	if (!parent)
		return 1;
	if (parent == climb->dentry) {
		climb->done = 1;
		return 1;
	}
	slot = climb->depth % BZ_RING;
	/* 6.1's verifier does not bound a remainder; without the barrier the compiler drops the test as
	 * needless. */
	asm volatile("" : "+r"(slot));
	if (slot >= BZ_RING)
		return 1;
	climb->ring[slot] = climb->dentry;
	climb->depth++;
	climb->dentry = parent;
	return 0;
}

/* The node for the name of `dentry` below `node` (which carries the slot in bit 31). */
__noinline __u32 child_of(__u32 node, __u64 address)
{
	struct dentry *dentry = (struct dentry *)address;
	__u32 index = (node >> 31) * BZ_NODES + (node & (BZ_NODES - 1));
	struct bz_step step = {};
	struct bz_node *here;
	const unsigned char *text;
	__u32 *to, len, i;

	here = bpf_map_lookup_elem(&nodes, &index);
	if (!here)
		return 0;
	text = BPF_CORE_READ(dentry, d_name.name);
	len = BPF_CORE_READ(dentry, d_name.len);
	step.node = node;
	if (len <= BZ_NAME_MAX) {
		step.len = len;
		asm volatile("" : "+r"(len));
		if (len > BZ_NAME_MAX)
			return 0;
		bpf_probe_read_kernel(step.name, len, text);
		to = bpf_map_lookup_elem(&edges, &step);
		if (to)
			return *to;
	} else if (here->flags) {
		bpf_probe_read_kernel(step.name, BZ_NAME_MAX, text);
	}
	if (here->flags & BZ_NODE_PREFIXES) {
		step.len = 32 + 8 * (len < BZ_NAME_MAX ? len : BZ_NAME_MAX);
		to = bpf_map_lookup_elem(&globs, &step);
		if (to)
			return *to;
	}
	if (here->flags & BZ_NODE_SUFFIXES) {
		/* A loop and no bpf_loop(): its callback would be a fifth frame, and 6.1 adds up the stacks
		 * of all. */
		text += len;
		len = len < BZ_NAME_MAX ? len : BZ_NAME_MAX;
		for (i = 0; i < BZ_NAME_MAX; i++) {
			if (i >= len)
				break;
			bpf_probe_read_kernel(&step.name[i], 1, --text);
		}
		step.len = 32 + 8 * len;
		step.node = node | 1u << 30;
		to = bpf_map_lookup_elem(&globs, &step);
		if (to)
			return *to;
	}
	return here->other;
}

static __always_inline __u32 start_of(struct super_block *sb, __u64 slot)
{
	__u64 key = BPF_CORE_READ(sb, s_magic) & 0xffffffff;
	__u32 *start;

	switch (key) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case BPF_FS_MAGIC:
	case TRACEFS_MAGIC:
	case DEBUGFS_MAGIC:
		key <<= 30;
		break;
	default:
		key = BPF_CORE_READ(sb, s_dev);
	}
	key |= slot << 63;
	start = bpf_map_lookup_elem(&starts, &key);
	if (start)
		return *start;
	/* An unknown file system starts where `/` does. */
	key = slot << 63 | 1ull << 62;
	start = bpf_map_lookup_elem(&starts, &key);
	return start ? *start : 0;
}

/* The trie node of a dentry, 0 for the dead one, UNRESOLVED where the path cannot be told. */
__noinline __u32 node_of(__u64 address, __u64 epoch)
{
	struct dentry *dentry = (struct dentry *)address;
	struct climb climb = {.dentry = address};
	struct super_block *sb;
	__u32 node, left, i;
	__u64 flags, slot;

	bpf_loop(WALK_UP, climb_one, &climb, 0);
	if (!climb.done)
		return UNRESOLVED;
	sb = BPF_CORE_READ(dentry, d_sb);
	if (BPF_CORE_READ(sb, s_root) != (struct dentry *)climb.dentry) {
		/* Pipes, sockets and memfds have no path and need none; anything else has lost its own. */
		flags = BPF_CORE_READ(sb, s_flags);
		return flags & (SB_KERNMOUNT | SB_NOUSER) ? 0 : UNRESOLVED;
	}
	node = start_of(sb, epoch & 1);
	left = climb.depth;
	for (i = 0; i < BZ_RING; i++) {
		if (!left || !node)
			break;
		left--;
		slot = left % BZ_RING;
		asm volatile("" : "+r"(slot));
		if (slot >= BZ_RING)
			break;
		node = child_of(node | (__u32)(epoch & 1) << 31, climb.ring[slot]);
		if (node == UNRESOLVED)
			return node;
	}
	/* Deeper than any pattern: only a `**` can hold it, and then the node leads to itself. */
	return node;
}

static __always_inline struct bz_label *label_at(__u32 id, __u64 epoch)
{
	__u32 index = ((epoch & 1) * BZ_LABELS + id) & (2 * BZ_LABELS - 1);

	return bpf_map_lookup_elem(&labels, &index);
}

static __always_inline struct bz_node *node_at(__u32 node, __u64 epoch)
{
	__u32 index = ((epoch & 1) * BZ_NODES + node) & (2 * BZ_NODES - 1);

	return bpf_map_lookup_elem(&nodes, &index);
}

/* What this name needs, whatever inode is behind it. Null: nothing. */
static __always_inline struct bz_label *label_of_name(__u64 dentry, __u64 epoch, bool *unresolved)
{
	__u32 node = node_of(address_of(dentry), epoch);
	struct bz_node *found;

	if (node == UNRESOLVED) {
		*unresolved = true;
		return 0;
	}
	if (!node)
		return 0;
	found = node_at(node, epoch);
	return found ? label_at(found->label, epoch) : 0;
}

/* Never 0, which means "not known yet". */
static __always_inline __u64 generation_of(struct inode *inode)
{
	return (__u64)inode->i_generation | 1ull << 32;
}

static __always_inline struct bz_label *link_label(struct inode *inode)
{
	struct bz_inode_key key = {.dev = inode->i_sb->s_dev, .ino = inode->i_ino};
	struct bz_link *link = bpf_map_lookup_elem(&links, &key);

	if (!link)
		return 0;
	if (!link->generation)
		link->generation = generation_of(inode);
	return link->generation == generation_of(inode) ? &link->label : 0;
}

/* The cold path: walk, then cache unless a rename was at work meanwhile. Returns the word, 0 tag bits on
 * failure. */
static __always_inline __u64 make_word(struct dentry *dentry, struct inode *inode, __u64 epoch, __u64 *word)
{
	__u32 before = rename_sequence();
	__u64 fresh = tag_of(epoch, dentry->d_parent->d_inode->i_ino, hash_len_of(dentry)) & WORD_TAG;
	__u32 node = node_of(address_of((__u64)dentry), epoch);
	struct bz_node *found;

	if (node == UNRESOLVED)
		return UNRESOLVED;
	found = node_at(node, epoch);
	if ((inode->i_mode & S_IFMT) == S_IFDIR)
		fresh |= WORD_DIRECTORY | node;
	else
		fresh |= found ? found->label : 0;
	if (link_label(inode))
		fresh |= WORD_LINKED;
	if ((before & 1) || rename_sequence() != before)
		return fresh;
	if (!word)
		word = bpf_inode_storage_get(&words, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (word)
		*(volatile __u64 *)word = fresh;
	else
		lose(BZ_LOST_WORD);
	return fresh;
}

/* The word of an inode reached by this dentry: a hit costs one look-up and one comparison. */
static __always_inline __u64 word_of(struct dentry *dentry, struct inode *inode, __u64 epoch)
{
	__u64 tag = tag_of(epoch, dentry->d_parent->d_inode->i_ino, hash_len_of(dentry));
	__u64 *word = bpf_inode_storage_get(&words, inode, 0, 0);
	__u64 value;

	if (word) {
		value = *(volatile __u64 *)word;
		if (!((value ^ tag) & WORD_TAG))
			return value;
	}
	return make_word(dentry, inode, epoch, word);
}

static __always_inline struct bz_label *label_of_word(__u64 word, __u64 epoch)
{
	struct bz_node *node;
	__u32 id = word & WORD_ID;

	if (word & WORD_DIRECTORY) {
		node = node_at(id, epoch);
		id = node ? node->label : 0;
	}
	return label_at(id, epoch);
}

#endif
