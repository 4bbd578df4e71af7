/* SPDX-License-Identifier: GPL-2.0-only */
/* Kinds of files that are told by what they are, whatever their name: programs, devices, and what services
 * wrote. */
#ifndef BZ_WRITTEN_H
#define BZ_WRITTEN_H

static __always_inline bool is_regular(umode_t mode)
{
	return (mode & S_IFMT) == S_IFREG;
}

static __always_inline bool is_program(umode_t mode)
{
	return GUARD(program) && is_regular(mode) && mode & S_IXUGO;
}

/* Whether it is in a file system that can be mounted. Descriptors of processes are regular files with x bits,
 * too (pidfs, since 6.9), and so are memfds; what is run of those is nameless. */
static __always_inline bool is_in_a_tree(struct inode *inode)
{
	return !(inode->i_sb->s_flags & (SB_KERNMOUNT | SB_NOUSER));
}

/* What making, writing to or naming a file with this mode needs: for being a program, and one that gives
 * privilege. */
static __always_inline __u64 need_of_mode(umode_t mode, __u64 epoch)
{
	__u64 kind = is_program(mode) ? needed(BZ_KIND_PROGRAM, epoch) : 0;

	if (GUARD(setid) && is_regular(mode) && mode & (S_ISUID | S_ISGID))
		kind |= needed(BZ_KIND_SETID, epoch);
	return kind;
}

/* What writing to the inode, or changing one of its names, needs for its being a program. */
static __always_inline __u64 need_of_program(struct inode *inode, __u64 epoch)
{
	if (!inode || !(inode->i_mode & (S_IXUGO | S_ISUID | S_ISGID)) || !is_in_a_tree(inode))
		return 0;
	return need_of_mode(inode->i_mode, epoch);
}

/*
 * Disks, memory (/dev/mem, kmem, port: character devices 1:1, 1:2, 1:4), SCSI generic (21), and what types
 * and clicks for a person (input 13, uinput 10:223): by their number, as their node may have any name. A
 * disk's is any block device.
 */
static __always_inline bool is_raw(umode_t mode, dev_t device)
{
	__u32 major = device >> 20, minor = device & 0xfffff;

	if ((mode & S_IFMT) == S_IFBLK)
		return GUARD(device);
	if ((mode & S_IFMT) != S_IFCHR)
		return false;
	if (!GUARD(device))
		return false;
	switch (major) {
	case 1:
		return minor == 1 || minor == 2 || minor == 4;
	case 10:
		return minor == 223;
	}
	return major == 13 || major == 21;
}

/*
 * Nodes that a service may make: of null, zero, full, random, urandom (1:3, 5, 7, 8, 9), tty, console, ptmx
 * (5:0, 1, 2), and overlay's mark of what is gone (0:0). All others lead to a device, some of which have a
 * number that is only known once the machine runs (bsg, the NVMe character devices).
 */
static __always_inline bool is_device_node(umode_t mode, dev_t device)
{
	__u32 major = device >> 20, minor = device & 0xfffff;

	if ((mode & S_IFMT) != S_IFCHR || !GUARD(device_node))
		return is_raw(mode, device);
	switch (major) {
	case 0:
		return minor;
	case 1:
		return minor > 9 || !(1u << minor & 0x3a8);
	case 5:
		return minor > 2;
	}
	return true;
}

static __always_inline __u64 need_of_device(struct inode *inode, __u64 epoch)
{
	return is_raw(inode->i_mode, inode->i_rdev) ? needed(BZ_KIND_DEVICE, epoch) : 0;
}

/* A service that may not install has the file open for writing. */
static __always_inline void remember_written(__u32 service, struct inode *inode, __u64 epoch)
{
	struct bz_policy *policy = policy_of(service, epoch);
	struct bz_inode_key key = key_of_this_inode(inode);
	struct bz_carried *counts = carried_on();
	__u32 one = 1;

	if (!GUARD(written) || !is_regular(inode->i_mode) || !policy || policy->flags & BZ_POLICY_EXEMPT)
		return;
	if (!(needed(BZ_KIND_PROGRAM, epoch) & ~policy->granted[BZ_WRITE]))
		return;
	if (bpf_map_lookup_elem(&written, &key))
		return;
	if (bpf_map_update_elem(&written, &key, &one, BPF_ANY) == 0) {
		forget_word(inode);
		return;
	}
	lose(BZ_LOST_WRITTEN);
	if (counts)
		__sync_fetch_and_add(&counts->unremembered, 1);
}

/*
 * Once services wrote more files than the table holds, a file counts as one of them unless its name says that
 * it takes an installer to write it.
 */
static __always_inline bool may_be_written(struct meaning *meaning, struct inode *inode, __u64 epoch)
{
	struct bz_carried *counts = carried_on();

	if (!counts || !counts->unremembered || !is_regular(inode->i_mode))
		return false;
	return !meaning->label || !(meaning->label->need[BZ_WRITE] & needed(BZ_KIND_PROGRAM, epoch));
}

/* The file is gone. */
static __always_inline void forget_inode(struct inode *inode)
{
	struct bz_inode_key key;
	struct bz_link *link;

	if (inode->i_nlink)
		return;
	key = key_of_this_inode(inode);
	bpf_map_delete_elem(&written, &key);
	key = key_of_inode(inode);
	link = bpf_map_lookup_elem(&links, &key);
	/* By now the number may be another's. An entry of unknown generation stays, and is replaced when it
	 * fits no more. */
	if (link && link->generation == generation_of(inode))
		bpf_map_delete_elem(&links, &key);
}

#endif
