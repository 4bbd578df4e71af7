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
#include "verdicts.bpf.h"
#include "unit.bpf.h"
#include "subject.bpf.h"
#include "walk.bpf.h"
#include "link.bpf.h"
#include "label.bpf.h"
#include "decide.bpf.h"
#include "path.bpf.h"
#include "sequence.bpf.h"
#include "actor.bpf.h"
#include "report.bpf.h"
#include "judge.bpf.h"
#include "written.bpf.h"
#include "hooks/exec.bpf.h"
#include "hooks/file.bpf.h"
#include "hooks/attribute.bpf.h"
#include "hooks/inode.bpf.h"
#include "hooks/net.bpf.h"
#include "hooks/unix.bpf.h"
#include "hooks/guard.bpf.h"
#include "hooks/kernel.bpf.h"
#include "hooks/mount.bpf.h"
#include "call.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	struct bz_subject *maker = subject_of(bpf_get_current_task_btf());

	cgroup_made(cgroup, GUARD(maker) && maker && maker->service);
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
	act.slot = control.epoch & 1;
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

SEC("lsm/bprm_creds_from_file")
int BPF_PROG(bprm_creds_from_file, struct linux_binprm *bprm, const struct file *file, int ret)
{
	return JUDGED(bprm_creds_from_file, check_privilege(bprm, file));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	executed(task);
	return 0;
}

SEC("lsm/mmap_file")
int BPF_PROG(mmap_file, struct file *file, unsigned long asked, unsigned long protection, unsigned long flags,
	     int ret)
{
	return JUDGED(mmap_file, check_mapping(file, protection));
}

SEC("lsm/file_mprotect")
int BPF_PROG(file_mprotect, struct vm_area_struct *area, unsigned long asked, unsigned long protection,
	     int ret)
{
	return JUDGED(file_mprotect, check_protection(area, protection));
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file, int ret)
{
	return JUDGED(file_open, check_open(file));
}

/* Descriptors that another task opened and hands over. */
SEC("lsm/file_receive")
int BPF_PROG(file_receive, struct file *file, int ret)
{
	return JUDGED(file_receive, check_open(file));
}

SEC("lsm/file_ioctl")
int BPF_PROG(file_ioctl, struct file *file, unsigned int command, unsigned long argument, int ret)
{
	return JUDGED(file_ioctl, check_terminal(file, command));
}

/* What 32-bit programs ask for. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(file_ioctl_compat, struct file *file, unsigned int command, unsigned long argument, int ret)
{
	return JUDGED(file_ioctl_compat, check_terminal(file, command));
}

/* Hooks that make or remove the name `dentry` in `dir`. A symbolic link may lead to a `whole` directory. */
#define NAME_HOOK(hook, whole, ...)                                                                          \
	SEC("lsm/" #hook)                                                                                    \
	int BPF_PROG(hook, struct inode *dir, struct dentry *dentry, ##__VA_ARGS__, int ret)                 \
	{                                                                                                    \
		return JUDGED(hook, check_name(dentry, whole));                                              \
	}

NAME_HOOK(inode_mkdir, false, umode_t mode)
NAME_HOOK(inode_symlink, true, const char *target)
NAME_HOOK(inode_unlink, false)
NAME_HOOK(inode_rmdir, false)

SEC("lsm/inode_create")
int BPF_PROG(inode_create, struct inode *dir, struct dentry *dentry, umode_t mode, int ret)
{
	return JUDGED(inode_create, check_made(dentry, mode, 0));
}

SEC("lsm/inode_mknod")
int BPF_PROG(inode_mknod, struct inode *dir, struct dentry *dentry, umode_t mode, dev_t device, int ret)
{
	return JUDGED(inode_mknod, check_made(dentry, mode, device));
}

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
	return JUDGED(inode_setattr, check_setattr(dentry, attr));
}

SEC("lsm/inode_setattr")
int BPF_PROG(inode_setattr_idmap, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
	return JUDGED(inode_setattr, check_setattr(dentry, attr));
}

/* The first argument is of no use to us, and differs: a user namespace until 6.2, an idmap since. */
#define ATTRIBUTE_HOOK(hook, variant, first, check, ...)                                                     \
	SEC("lsm/" #hook)                                                                                    \
	int BPF_PROG(hook##variant, first, struct dentry *dentry, const char *name, ##__VA_ARGS__, int ret)  \
	{                                                                                                    \
		return JUDGED(hook, check);                                                                  \
	}

ATTRIBUTE_HOOK(inode_setxattr, _userns, struct user_namespace *ns, check_xattr(dentry, name),
	       const void *value, size_t size, int flags)
ATTRIBUTE_HOOK(inode_setxattr, _idmap, struct mnt_idmap *map, check_xattr(dentry, name), const void *value,
	       size_t size, int flags)
ATTRIBUTE_HOOK(inode_removexattr, _userns, struct user_namespace *ns, check_attribute(dentry))
ATTRIBUTE_HOOK(inode_removexattr, _idmap, struct mnt_idmap *map, check_attribute(dentry))
ATTRIBUTE_HOOK(inode_set_acl, _idmap, struct mnt_idmap *map, check_xattr(dentry, name), struct posix_acl *acl)
ATTRIBUTE_HOOK(inode_remove_acl, _idmap, struct mnt_idmap *map, check_attribute(dentry))

SEC("lsm/inode_file_setattr")
int BPF_PROG(inode_file_setattr, struct dentry *dentry, struct file_kattr *attr, int ret)
{
	return JUDGED(inode_file_setattr, check_attribute(dentry));
}

SEC("lsm/inode_free_security")
int BPF_PROG(inode_free_security, struct inode *inode)
{
	forget_inode(inode);
	return 0;
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
	if (!ret && flags & MS_MOVE && check_move(where) < 0)
		return counted(BZ_HOOK_sb_mount, -EPERM);
	return JUDGED(sb_mount, check_mount(where, !(flags & MS_CHANGES)));
}

SEC("lsm/sb_set_mnt_opts")
int BPF_PROG(sb_set_mnt_opts, struct super_block *sb, void *options, unsigned long flags,
	     unsigned long *set_flags, int ret)
{
	return JUDGED(sb_set_mnt_opts, check_new_file_system(sb));
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

SEC("lsm/sb_remount")
int BPF_PROG(sb_remount, struct super_block *sb, void *options, int ret)
{
	return JUDGED(sb_remount, check_operation(BZ_OP_REMOUNT, sb->s_root));
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(sb_pivotroot, const struct path *old, const struct path *fresh, int ret)
{
	return JUDGED(sb_pivotroot, check_operation(BZ_OP_PIVOT_ROOT, fresh->dentry));
}

SEC("lsm/path_chroot")
int BPF_PROG(path_chroot, const struct path *path, int ret)
{
	return JUDGED(path_chroot, check_operation(BZ_OP_CHROOT, path->dentry));
}

SEC("lsm/userns_create")
int BPF_PROG(userns_create, const struct cred *cred, int ret)
{
	return JUDGED(userns_create, check_operation(BZ_OP_USER_NAMESPACE, 0));
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(ptrace_access_check, struct task_struct *child, unsigned int mode, int ret)
{
	return JUDGED(ptrace_access_check, check_ptrace(child, mode));
}

SEC("lsm/task_kill")
int BPF_PROG(task_kill, struct task_struct *target, struct kernel_siginfo *info, int signal,
	     const struct cred *cred, int ret)
{
	return JUDGED(task_kill, check_signal(target, signal));
}

SEC("lsm/file_send_sigiotask")
int BPF_PROG(file_send_sigiotask, struct task_struct *target, struct fown_struct *owner, int signal, int ret)
{
	return JUDGED(file_send_sigiotask, check_file_signal(target));
}

#define LIMITS_HOOK(hook, ...)                                                                               \
	SEC("lsm/" #hook)                                                                                    \
	int BPF_PROG(hook, struct task_struct *target, ##__VA_ARGS__, int ret)                               \
	{                                                                                                    \
		return JUDGED(hook, check_limits(target));                                                   \
	}

LIMITS_HOOK(task_setrlimit, unsigned int resource, struct rlimit *limit)
LIMITS_HOOK(task_setscheduler)
LIMITS_HOOK(task_setnice, int nice)

SEC("lsm/kernel_module_request")
int BPF_PROG(kernel_module_request, char *name, int ret)
{
	return JUDGED(kernel_module_request, check_operation(BZ_OP_MODULE_REQUEST, 0));
}

SEC("lsm/kernel_read_file")
int BPF_PROG(kernel_read_file, struct file *file, enum kernel_read_file_id id, bool contents, int ret)
{
	return JUDGED(kernel_read_file, check_kernel_read(file, id));
}

SEC("lsm/kernel_load_data")
int BPF_PROG(kernel_load_data, enum kernel_load_data_id id, bool contents, int ret)
{
	return JUDGED(kernel_load_data, check_kernel_load(id));
}

SEC("lsm/bpf")
int BPF_PROG(bpf_size, int command, union bpf_attr *attr, unsigned int size, int ret)
{
	return JUDGED(bpf, check_operation(BZ_OP_BPF, 0));
}

/* 7.3 tells whether the kernel itself asks. */
SEC("lsm/bpf")
int BPF_PROG(bpf_kernel, int command, union bpf_attr *attr, unsigned int size, bool kernel, int ret)
{
	return JUDGED(bpf, check_operation(BZ_OP_BPF, 0));
}

SEC("lsm/bpf_map")
int BPF_PROG(bpf_map, struct bpf_map *map, fmode_t mode, int ret)
{
	return JUDGED(bpf_map, check_own_object(map->id, 0));
}

SEC("lsm/bpf_prog")
int BPF_PROG(bpf_prog, struct bpf_prog *program, int ret)
{
	return JUDGED(bpf_prog, check_own_object(program->aux->id, 1));
}

SEC("lsm/syslog")
int BPF_PROG(syslog, int type, int ret)
{
	return JUDGED(syslog, check_syslog(type));
}

SEC("lsm/capable")
int BPF_PROG(capable, const struct cred *cred, struct user_namespace *ns, int capability,
	     unsigned int options, int ret)
{
	return JUDGED(capable, check_capable(capability, options));
}
