/* SPDX-License-Identifier: GPL-2.0-only */
/* From a dentry to the node of the trie: up to the root of its file system, and down again by the names. */
#ifndef BZ_WALK_H
#define BZ_WALK_H

#define UNRESOLVED 0xffffffffu
#ifndef WALK_UP
#define WALK_UP 1024 /* deepest path that is still resolved, components */
#endif

/* 7.3 passes only plain numbers to a global function. A pointer whose bytes were swapped is one, and so it
 * stays. */
static __always_inline __u64 address_of(__u64 pointer)
{
	asm volatile("%0 = be64 %0; %0 = be64 %0" : "+r"(pointer));
	return pointer;
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
	const unsigned char *text = BPF_CORE_READ(dentry, d_name.name);
	__u32 len = BPF_CORE_READ(dentry, d_name.len), *to, i;
	/* Holds the index of the node first: 6.1 adds up the stacks of all that call each other, to 512
	 * bytes. */
	struct bz_step step = {.len = (node >> 31) * BZ_NODES + (node & (BZ_NODES - 1)), .node = node};
	struct bz_node *here = bpf_map_lookup_elem(&nodes, &step.len);

	if (!here)
		return 0;
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
	case BINFMTFS_MAGIC:
	case SECURITYFS_MAGIC:
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

#endif
