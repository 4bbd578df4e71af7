/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections to unix sockets that have a name in the file system. */
#ifndef BZ_HOOK_UNIX_H
#define BZ_HOOK_UNIX_H

/* The name is the one under which the socket was bound, whatever name the caller went by. */
static __always_inline int check_unix_connect(struct sock *other)
{
	__u32 service = governed();
	struct unix_sock *listener;
	struct dentry *dentry;
	struct inode *inode;

	if (!service)
		return 0;
	listener = bpf_skc_to_unix_sock(other);
	if (!listener)
		return 0;
	dentry = listener->path.dentry;
	if (!dentry)
		return 0;
	inode = dentry->d_inode;
	if (!inode)
		return 0;
	return judge_inode(service, dentry, inode, BZ_CONNECT, 0, control.epoch);
}

#endif
