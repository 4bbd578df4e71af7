/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections to unix sockets that have a name in the file system. */
#ifndef BZ_HOOK_UNIX_H
#define BZ_HOOK_UNIX_H

/* The name is the one under which the socket was bound, whatever name the caller went by. */
static __always_inline int check_unix_connect(struct sock *other)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.task = (__u64)task, .access = BZ_CONNECT};
	struct unix_sock *listener;
	struct dentry *dentry;
	struct inode *inode;

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
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
	act.dentry = (__u64)dentry;
	act.epoch = control.epoch;
	return judge_inode(subject, dentry, inode, BZ_CONNECT, &act);
}

#endif
