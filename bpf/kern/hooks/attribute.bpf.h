/* SPDX-License-Identifier: GPL-2.0-only */
/* What an inode is beside its content: mode, owner, times, size, extended attributes, access lists. */
#ifndef BZ_HOOK_ATTRIBUTE_H
#define BZ_HOOK_ATTRIBUTE_H

static __always_inline int check_setattr(struct dentry *dentry, struct iattr *attr)
{
	__u32 service = governed();
	struct inode *inode = dentry->d_inode;
	__u64 epoch = control.epoch, kind = 0;
	umode_t mode, fresh;

	if (!inode || !service)
		return 0;
	mode = inode->i_mode;
	fresh = attr->ia_valid & ATTR_MODE ? attr->ia_mode & ~mode & (S_IXUGO | S_ISUID | S_ISGID) : 0;
	if (fresh && is_regular(mode) && is_in_a_tree(inode)) {
		if (GUARD(program) && fresh & S_IXUGO)
			kind |= needed(BZ_KIND_PROGRAM, epoch);
		if (GUARD(setid) && fresh & (S_ISUID | S_ISGID))
			kind |= needed(BZ_KIND_SETID, epoch);
	}
	return judge_inode(service, dentry, inode, BZ_WRITE, kind, epoch);
}

/* Whether an attribute has this name, given as a literal. */
#define IS_CALLED(name, text)                                                                                \
	({                                                                                                   \
		char given[sizeof(text) + 1] = {};                                                           \
		bpf_probe_read_kernel_str(given, sizeof(given), name) == sizeof(text) &&                     \
		    !__builtin_memcmp(given, text, sizeof(text));                                            \
	})

static __always_inline int check_xattr(struct dentry *dentry, const char *name)
{
	__u32 service = governed();
	struct inode *inode = dentry->d_inode;
	__u64 epoch = control.epoch, kind = 0;

	if (!inode || !service)
		return 0;
	if (is_regular(inode->i_mode)) {
		if (GUARD(setid) && IS_CALLED(name, "security.capability"))
			kind = needed(BZ_KIND_SETID, epoch);
		/* An access list may let others execute, and its mask becomes the group's bits of the mode.
		 */
		else if (GUARD(program) && IS_CALLED(name, "system.posix_acl_access"))
			kind = needed(BZ_KIND_PROGRAM, epoch);
	}
	return judge_inode(service, dentry, inode, BZ_WRITE, kind, epoch);
}

/* Attributes that are taken away, and the flags of chattr(1). */
static __always_inline int check_attribute(struct dentry *dentry)
{
	__u32 service = governed();
	struct inode *inode = dentry->d_inode;

	if (!inode || !service)
		return 0;
	return judge_inode(service, dentry, inode, BZ_WRITE, 0, control.epoch);
}

#endif
