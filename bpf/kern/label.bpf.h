/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is touched: the label of an inode. The dentry chain is walked up to the root of its file system and
 * down again through the trie, and the result is cached in inode storage as ONE word, so that no reader ever
 * combines the key of one name with the label of another:
 *
 *   63 .. 19  tag: epoch, parent dentry and name hash, keyed
 *         18  a service wrote it that may not install, see written.bpf.h
 *         17  the inode has several names: ask `links` as well
 *         16  a directory: the rest is a node, not a label
 *   15 ..  0  label or node
 */
#ifndef BZ_LABEL_H
#define BZ_LABEL_H

#define WORD_WRITTEN (1ull << 18)
#define WORD_LINKED (1ull << 17)
#define WORD_DIRECTORY (1ull << 16)
#define WORD_ID 0xffffull
#define WORD_TAG (~0ull << 19)

/*
 * Renames move dentries under this sequence lock: odd while one is at work. Weak, so that a kernel that hides
 * the symbol is asked all the same whether it takes our programs.
 */
extern const void rename_lock __ksym __weak;

static __always_inline __u32 rename_sequence(void)
{
	__u32 sequence = 1;

	/* What cannot be watched counts as being changed: nothing is cached then. */
	if (!bpf_ksym_exists(&rename_lock))
		return sequence;
	bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock);
	return sequence;
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

static __always_inline bool is_directory(struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFDIR;
}

/*
 * The tag of a dentry's inode, as long as the dentry is what it is now. The kernel mixes the parent's address
 * into the hash of a name itself. That address may be another directory's one day; a file only gets there by
 * a rename, which makes its word stale, see check_rename().
 */
static __always_inline __u64 tag_of_dentry(struct dentry *dentry, __u64 epoch)
{
	__u64 h = (epoch ^ control.salt) * 0x9e3779b97f4a7c15ull;

	if (!GUARD(tag))
		return h;
	h = (h ^ address_of((__u64)dentry->d_parent)) * 0xbf58476d1ce4e5b9ull;
	return (h ^ dentry->d_name.hash ^ (h >> 29)) * 0x94d049bb133111ebull;
}

/* Whatever the inode is called from now on: its word is made anew. */
static __always_inline void forget_word(struct inode *inode)
{
	__u64 *word = bpf_inode_storage_get(&words, inode, 0, 0);

	if (word)
		__sync_lock_test_and_set(word, 0);
}

/*
 * The node of a directory that somebody looks into: walked for once. The number of a directory that is gone
 * may be given to another of the same name, hence the generation.
 */
static __always_inline __u32 node_of_directory(struct dentry *directory, __u64 epoch)
{
	struct inode *inode = directory->d_inode;
	__u32 before = rename_sequence();
	struct bz_directory_key key = {};
	__u32 node, *known;

	if (!inode)
		return UNRESOLVED;
	key.tag = tag_of_dentry(directory, epoch);
	key.ino = inode->i_ino;
	key.dev = inode->i_sb->s_dev;
	key.generation = inode->i_generation;
	known = bpf_map_lookup_elem(&directories, &key);
	if (known)
		return *known;
	node = node_of(address_of((__u64)directory), epoch);
	if (node != UNRESOLVED && !(before & 1) && rename_sequence() == before)
		bpf_map_update_elem(&directories, &key, &node, BPF_ANY);
	return node;
}

/* The node of a name: one step from its directory, so that the next file there costs no walk. */
static __always_inline __u32 node_of_name(struct dentry *dentry, __u64 epoch)
{
	struct dentry *directory = dentry->d_parent;
	__u32 node;

	if (directory == dentry)
		return node_of(address_of((__u64)dentry), epoch);
	node = node_of_directory(directory, epoch);
	if (!node || node == UNRESOLVED)
		return node;
	return child_of(node | (__u32)(epoch & 1) << 31, address_of((__u64)dentry));
}

/* What this name needs, or with `whole` a change of it and of all that is below. Null: nothing. */
static __always_inline struct bz_label *label_of_name(struct dentry *dentry, __u64 epoch, bool whole,
						      bool *unresolved)
{
	__u32 node = node_of_name(dentry, epoch);
	struct bz_node *found;

	if (node == UNRESOLVED) {
		*unresolved = true;
		return 0;
	}
	if (!node)
		return 0;
	found = node_at(node, epoch);
	if (!found)
		return 0;
	return label_at(whole ? found->below : found->label, epoch);
}

/* The cold path: walk, then cache unless a rename was at work meanwhile. Returns the word, 0 tag bits on
 * failure. */
static __always_inline __u64 make_word(struct dentry *dentry, struct inode *inode, __u64 epoch, __u64 *word)
{
	__u32 before = rename_sequence();
	__u64 fresh = tag_of_dentry(dentry, epoch) & WORD_TAG;
	__u32 node = node_of_name(dentry, epoch);
	struct bz_node *found;

	if (node == UNRESOLVED)
		return UNRESOLVED;
	found = node_at(node, epoch);
	if (is_directory(inode))
		fresh |= WORD_DIRECTORY | node;
	else
		fresh |= found ? found->label : 0;
	if (link_label(inode))
		fresh |= WORD_LINKED;
	if ((before & 1) || rename_sequence() != before)
		return is_written(inode) ? fresh | WORD_WRITTEN : fresh;
	if (!word)
		word = bpf_inode_storage_get(&words, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	/* An exchange is a barrier. Whoever remembers the file as written meanwhile either clears this word
	 * afterwards, or is seen. */
	if (word)
		__sync_lock_test_and_set(word, fresh);
	else
		lose(BZ_LOST_WORD);
	if (!is_written(inode))
		return fresh;
	fresh |= WORD_WRITTEN;
	if (word)
		*(volatile __u64 *)word = fresh;
	return fresh;
}

/* The word of an inode reached by this dentry: a hit costs one look-up and one comparison. */
static __always_inline __u64 word_of(struct dentry *dentry, struct inode *inode, __u64 epoch)
{
	__u64 tag = tag_of_dentry(dentry, epoch);
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
