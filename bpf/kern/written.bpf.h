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

/* What writing to the inode, or changing one of its names, needs for its being a program. */
static __always_inline __u64 need_of_program(struct inode *inode, __u64 epoch)
{
	return inode && is_program(inode->i_mode) && is_in_a_tree(inode) ? needed(BZ_KIND_PROGRAM, epoch) : 0;
}

/*
 * Disks, memory (/dev/mem, kmem, port: character devices 1:1, 1:2, 1:4) and SCSI generic (21): by their
 * number, as their node may have any name. A disk's is any block device.
 */
static __always_inline bool is_raw(umode_t mode, dev_t device)
{
	__u32 major = device >> 20, minor = device & 0xfffff;

	if ((mode & S_IFMT) == S_IFBLK)
		return GUARD(device);
	if ((mode & S_IFMT) != S_IFCHR)
		return false;
	return GUARD(device) && (major == 21 || (major == 1 && (minor == 1 || minor == 2 || minor == 4)));
}

static __always_inline __u64 need_of_device(struct inode *inode, __u64 epoch)
{
	return is_raw(inode->i_mode, inode->i_rdev) ? needed(BZ_KIND_DEVICE, epoch) : 0;
}

/* A service that may not install has the file open for writing. */
static __always_inline void remember_written(__u32 service, struct inode *inode, __u64 epoch)
{
	struct bz_policy *policy = policy_of(service, epoch);
	struct bz_inode_key key = key_of_inode(inode);
	__u64 generation = generation_of(inode), *known;

	if (!GUARD(written) || !is_regular(inode->i_mode) || !policy || policy->flags & BZ_POLICY_EXEMPT)
		return;
	if (!(needed(BZ_KIND_PROGRAM, epoch) & ~policy->granted[BZ_WRITE]))
		return;
	known = bpf_map_lookup_elem(&written, &key);
	if (known && *known == generation)
		return;
	if (bpf_map_update_elem(&written, &key, &generation, BPF_ANY) == 0) {
		forget_word(inode);
		return;
	}
	lose(BZ_LOST_WRITTEN);
	__sync_fetch_and_add(&control.unremembered, 1);
}

/*
 * Once services wrote more files than the table holds, a file counts as one of them unless its name says that
 * it takes an installer to write it.
 */
static __always_inline bool may_be_written(struct meaning *meaning, struct inode *inode, __u64 epoch)
{
	if (!control.unremembered || !is_regular(inode->i_mode))
		return false;
	return !meaning->label || !(meaning->label->need[BZ_WRITE] & needed(BZ_KIND_PROGRAM, epoch));
}

/* No file will have this number until it is given to another. */
static __always_inline void forget_inode(struct inode *inode)
{
	struct bz_inode_key key;

	if (inode->i_nlink)
		return;
	key = key_of_inode(inode);
	bpf_map_delete_elem(&written, &key);
	bpf_map_delete_elem(&links, &key);
}

#endif
