// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach stubs only, in the order in which the kernel calls them in a task's life. Bodies are in hooks/.
 * Where a hook's prototype differs between kernels there is one program per prototype; user space loads the
 * one that fits the BTF.
 */
#include "kernel.h"
#include "wire.h"
#include "guard.h"
#include "maps.bpf.h"
#include "unit.bpf.h"
#include "subject.bpf.h"
#include "walk.bpf.h"
#include "link.bpf.h"
#include "label.bpf.h"
#include "decide.bpf.h"
#include "path.bpf.h"
#include "report.bpf.h"
#include "judge.bpf.h"
#include "hooks/exec.bpf.h"
#include "hooks/file.bpf.h"
#include "hooks/inode.bpf.h"
#include "hooks/net.bpf.h"
#include "hooks/unix.bpf.h"
#include "hooks/guard.bpf.h"
#include "hooks/mount.bpf.h"
#include "call.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	cgroup_made(cgroup);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	cgroup_gone(cgroup);
	return 0;
}

/* Tells that a task of this service, if it is one, has got into a cgroup that is not its own. */
static __always_inline void escaped(__u32 service, struct task_struct *task, struct cgroup *target)
{
	struct act act = {
	    .task = (__u64)task, .why = BZ_WHY_ESCAPE, .object = BZ_OBJECT_CGROUP, .verdict = BZ_AUDIT};

	if (!service)
		return;
	act.service = service;
	act.access = BZ_OPERATE;
	act.epoch = control.epoch;
	act.dentry = (__u64)target->kn->name;
	/* A name's memory is used again once its cgroup is gone. */
	*(__u64 *)act.address = target->kn->id;
	tell(&act);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *task, unsigned long clone_flags)
{
	escaped(born(task), task, task->cgroups->dfl_cgrp);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_attach_task, struct cgroup *target, const char *path, struct task_struct *task,
	     bool threadgroup)
{
	escaped(attached(target, task), task, target);
	return 0;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(bprm_check_security, struct linux_binprm *bprm, int ret)
{
	return JUDGED(bprm_check_security, check_exec(bprm));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	executed(task);
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file, int ret)
{
	return JUDGED(file_open, check_open(file));
}

/* Hooks that make or remove the name `dentry` in `dir`. A symbolic link may lead to a `whole` directory. */
#define NAME_HOOK(hook, whole, ...)                                                                          \
	SEC("lsm/" #hook)                                                                                    \
	int BPF_PROG(hook, struct inode *dir, struct dentry *dentry, ##__VA_ARGS__, int ret)                 \
	{                                                                                                    \
		return JUDGED(hook, check_name(dentry, whole));                                              \
	}

NAME_HOOK(inode_create, false, umode_t mode)
NAME_HOOK(inode_mkdir, false, umode_t mode)
NAME_HOOK(inode_mknod, false, umode_t mode, dev_t dev)
NAME_HOOK(inode_symlink, true, const char *target)
NAME_HOOK(inode_unlink, false)
NAME_HOOK(inode_rmdir, false)

SEC("lsm/inode_link")
int BPF_PROG(inode_link, struct dentry *from, struct inode *dir, struct dentry *to, int ret)
{
	return JUDGED(inode_link, check_link(from, to));
}

SEC("lsm/inode_rename")
int BPF_PROG(inode_rename, struct inode *from_dir, struct dentry *from, struct inode *to_dir,
	     struct dentry *to, int ret)
{
	return JUDGED(inode_rename, check_rename(from, to));
}

SEC("fexit/d_move")
int BPF_PROG(d_move, struct dentry *dentry, struct dentry *target)
{
	moved(dentry);
	return 0;
}

SEC("fexit/d_exchange")
int BPF_PROG(d_exchange, struct dentry *one, struct dentry *other)
{
	moved(one);
	moved(other);
	return 0;
}

SEC("lsm/inode_setattr")
int BPF_PROG(inode_setattr_dentry, struct dentry *dentry, struct iattr *attr, int ret)
{
	return JUDGED(inode_setattr, check_setattr(dentry));
}

SEC("lsm/inode_setattr")
int BPF_PROG(inode_setattr_idmap, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
	return JUDGED(inode_setattr, check_setattr(dentry));
}

SEC("lsm/socket_connect")
int BPF_PROG(socket_connect, struct socket *socket, struct sockaddr *to, int length, int ret)
{
	return JUDGED(socket_connect, check_connect(socket, to));
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(unix_stream_connect, struct sock *socket, struct sock *other, struct sock *fresh, int ret)
{
	return JUDGED(unix_stream_connect, check_unix_connect(other));
}

SEC("lsm/sb_mount")
int BPF_PROG(sb_mount, const char *source, const struct path *where, const char *type, unsigned long flags,
	     void *data, int ret)
{
	return JUDGED(sb_mount, check_mount(where, !(flags & MS_CHANGES)));
}

SEC("lsm/move_mount")
int BPF_PROG(move_mount, const struct path *from, const struct path *where, int ret)
{
	return JUDGED(move_mount, check_move_mount(from, where));
}

SEC("lsm/sb_umount")
int BPF_PROG(sb_umount, struct vfsmount *mnt, int flags, int ret)
{
	return JUDGED(sb_umount, check_umount(mnt));
}
