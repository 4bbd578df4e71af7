/* SPDX-License-Identifier: GPL-2.0-only */
/* What an inode is beside its content: mode, owner, times, size, extended attributes, access lists. */
#ifndef BZ_HOOK_ATTRIBUTE_H
#define BZ_HOOK_ATTRIBUTE_H

static __always_inline int judge_attribute(struct bz_subject *subject, struct dentry *dentry, __u64 kind,
					   __u64 epoch)
{
	struct inode *inode = dentry->d_inode;

	return inode ? judge_inode(subject, dentry, inode, BZ_WRITE, kind, epoch) : 0;
}

static __always_inline int check_setattr(struct dentry *dentry, struct iattr *attr)
{
	struct bz_subject *subject = governed();
	struct inode *inode = dentry->d_inode;
	__u64 epoch = control.epoch, kind = 0;
	umode_t mode, fresh;

	if (!inode || !subject)
		return 0;
	mode = inode->i_mode;
	if (attr->ia_valid & ATTR_MODE && is_regular(mode) && is_in_a_tree(inode)) {
		fresh = attr->ia_mode & ~mode;
		if (GUARD(program) && fresh & S_IXUGO)
			kind |= needed(BZ_KIND_PROGRAM, epoch);
		if (GUARD(setid) && fresh & (S_ISUID | S_ISGID))
			kind |= needed(BZ_KIND_SETID, epoch);
	}
	return judge_inode(subject, dentry, inode, BZ_WRITE, kind, epoch);
}

/* Whether the attribute is the one that holds a program's capabilities. */
static __always_inline bool gives_capabilities(const char *name)
{
	char text[20] = {};

	if (bpf_probe_read_kernel_str(text, sizeof(text), name) != sizeof("security.capability"))
		return false;
	return __builtin_memcmp(text, "security.capability", sizeof("security.capability")) == 0;
}

/* An access list may let others execute, and its mask becomes the group's bits of the mode. */
static __always_inline bool is_access_list(const char *name)
{
	char text[25] = {};

	if (bpf_probe_read_kernel_str(text, sizeof(text), name) != sizeof("system.posix_acl_access"))
		return false;
	return __builtin_memcmp(text, "system.posix_acl_access", sizeof("system.posix_acl_access")) == 0;
}

static __always_inline int check_xattr(struct dentry *dentry, const char *name)
{
	struct bz_subject *subject = governed();
	struct inode *inode = dentry->d_inode;
	__u64 epoch = control.epoch, kind = 0;

	if (!inode || !subject)
		return 0;
	if (is_regular(inode->i_mode)) {
		if (GUARD(setid) && gives_capabilities(name))
			kind = needed(BZ_KIND_SETID, epoch);
		else if (GUARD(program) && is_access_list(name))
			kind = needed(BZ_KIND_PROGRAM, epoch);
	}
	return judge_inode(subject, dentry, inode, BZ_WRITE, kind, epoch);
}

/* Attributes that are taken away, and the flags of chattr(1). */
static __always_inline int check_attribute(struct dentry *dentry)
{
	struct bz_subject *subject = governed();

	return subject ? judge_attribute(subject, dentry, 0, control.epoch) : 0;
}

#endif
