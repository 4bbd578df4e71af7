/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounting: an operation, and a change of the name that is mounted onto. */
#ifndef BZ_HOOK_MOUNT_H
#define BZ_HOOK_MOUNT_H

/* The kernel's own first task, which has the namespaces that PID 1 was started in. */
extern const void init_task __ksym __weak;

static __always_inline bool in_host_mounts(void)
{
	struct task_struct *current = bpf_get_current_task_btf(), *first;

	if (!bpf_ksym_exists(&init_task))
		return true;
	first = (struct task_struct *)&init_task;
	return BPF_CORE_READ(current, nsproxy, mnt_ns) == BPF_CORE_READ(first, nsproxy, mnt_ns);
}

/*
 * mount(2) shows its hook where something goes, and what only by the caller's words. So nothing is moved by
 * it among the host's mounts, or the pins could be moved to where a lazy unmount takes them along. In a
 * namespace of its own a service may, as the host's mount of the pins stays.
 */
static __always_inline int check_move(const struct path *where)
{
	__u32 service = governed();

	return service && GUARD(move) && in_host_mounts() ? judge_own(service, BZ_OP_UMOUNT, where->dentry)
							  : 0;
}

/* `covers`: what was reachable below `where` will not be any more. */
static __always_inline int check_mount(const struct path *where, bool covers)
{
	__u32 service = governed();
	int verdict;

	if (!service)
		return 0;
	verdict = judge_operation(service, BZ_OP_MOUNT, where->dentry);
	if (verdict < 0 || !GUARD(covers) || !covers)
		return verdict;
	return both(verdict, judge_name(service, where->dentry, true, 0, control.epoch));
}

/*
 * A file system is made ready, by mount(2) or by fsopen(2): whoever holds the descriptor of the latter may
 * use what is in it without mounting it anywhere. Not asked for what the kernel mounts for itself.
 */
static __always_inline int check_new_file_system(struct super_block *sb)
{
	if (sb->s_flags & (SB_KERNMOUNT | SB_SUBMOUNT))
		return 0;
	return check_operation(BZ_OP_MOUNT, 0);
}

/* The pins may not be moved to where they could be unmounted along with something else. */
static __always_inline int check_move_mount(const struct path *from, const struct path *where)
{
	__u64 magic = from->dentry->d_sb->s_magic;

	if (magic == BPF_FS_MAGIC && from->dentry == from->mnt->mnt_root && check_umount(from->mnt) < 0)
		return -EPERM;
	return check_mount(where, true);
}

#endif
