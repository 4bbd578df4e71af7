/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map, with what bounds it. All are pinned by name under /sys/fs/bpf/bartizan/maps. */
#ifndef BZ_MAPS_H
#define BZ_MAPS_H

/*
 * One page of state. User space never writes `epoch` itself: the programs in call.bpf.h do, atomically, since
 * hooks raise it too.
 */
struct bz_control control __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bz_carried);
} carried SEC(".maps");

static __always_inline struct bz_carried *carried_on(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&carried, &zero);
}

/* Policy per slot and service. An array, so that the look-up is inlined. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BZ_SERVICES);
	__type(key, __u32);
	__type(value, struct bz_policy);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BZ_LABELS);
	__type(key, __u32);
	__type(value, struct bz_label);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BZ_NODES);
	__type(key, __u32);
	__type(value, struct bz_node);
} nodes SEC(".maps");

#ifndef BZ_EDGES
#define BZ_EDGES (1 << 16)
#endif

/* Written by user space only, so there is no need to keep all elements allocated. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BZ_EDGES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_step);
	__type(value, __u32);
} edges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1 << 11);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_step);
	__type(value, __u32);
} globs SEC(".maps");

/* slot << 63 | magic << 32 or device → start node. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u32);
} starts SEC(".maps");

/* What each operation and each kind of file needs (enum bz_operation). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BZ_OPERATIONS);
	__type(key, __u32);
	__type(value, __u64);
} operations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_rule_key);
	__type(value, __u32);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1 << 15);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_outbound_key);
	__type(value, struct bz_outbound);
} outbound SEC(".maps");

/* Who. One storage map per kind of object: the kernel has 16 cache slots for all BPF users of a machine. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bz_subject);
} subjects SEC(".maps");

/* Asked before task storage, which costs four times as much. Never shared between two sets of programs, as
 * each counts changes for itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bz_last);
} last_subject SEC(".maps");

/*
 * Tasks whose storage could not be made: on 6.1 with preempt=full bpf_task_storage_get(CREATE) returned NULL
 * in 1 % of calls. May go when 6.1 is no longer supported.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, __u32);
	__type(value, struct bz_subject);
} subjects_by_pid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BZ_SERVICES);
	__type(key, struct bz_unit);
	__type(value, struct bz_service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, __u64);
	__type(value, struct bz_cgroup);
} cgroups SEC(".maps");

/* What: one atomic word per inode, see label.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} words SEC(".maps");

/*
 * Nodes of directories. Not in inode storage: 7.3 does not take the inode of a dentry's parent for it ("Pass
 * a value with one of the accepted pointer or scalar types").
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, struct bz_directory_key);
	__type(value, __u32);
} directories SEC(".maps");

/* What the names of an inode with several names need, taken together. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, struct bz_inode_key);
	__type(value, struct bz_link);
} links SEC(".maps");

/* Files that a service wrote which may not install software. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BZ_WRITTEN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_inode_key);
	__type(value, __u32);
} written SEC(".maps");

/* Our maps and programs, of every set that is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 10);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bz_own_key);
	__type(value, __u32);
} own_objects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BZ_SEEN);
	__type(key, __u64);
	__type(value, struct bz_seen);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, struct bz_flood_key);
	__type(value, __u64);
} floods SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BZ_SERVICES);
	__type(key, __u32);
	__type(value, struct bz_novelty);
} novelty_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BZ_LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* Per CPU, of each ring. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BZ_RINGS);
	__type(key, __u32);
	__type(value, struct bz_sequence);
} sequences SEC(".maps");

/* Room for all that one service may have told in a minute: BZ_OBJECTS events of 3.2 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} violations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
} observations SEC(".maps");

static __always_inline void lose_many(__u32 kind, __u64 number)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &kind);

	if (count)
		__sync_fetch_and_add(count, number);
}

static __always_inline void lose(__u32 kind)
{
	lose_many(kind, 1);
}

#endif
