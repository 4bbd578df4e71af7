/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounting: an operation, and a change of the name that is mounted onto. */
#ifndef BZ_HOOK_MOUNT_H
#define BZ_HOOK_MOUNT_H

/* `covers`: what was reachable below `where` will not be any more. */
static __always_inline int check_mount(const struct path *where, bool covers)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.task = (__u64)task};

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	act.dentry = (__u64)where->dentry;
	act.epoch = control.epoch;
	/* 6.12 does not see the bounds of a value that comes from two places: it must be a plain constant. */
	if (judge_operation(subject, BZ_OP_MOUNT, &act))
		return -EPERM;
	act.object = BZ_OBJECT_PATH;
	act.operation = 0;
	if (GUARD(covers) && covers && judge_name(subject, true, &act))
		return -EPERM;
	return 0;
}

/* The pins may not be moved to where they could be unmounted along with something else. */
static __always_inline int check_move_mount(const struct path *from, const struct path *where)
{
	__u64 magic = from->dentry->d_sb->s_magic;

	if (magic == BPF_FS_MAGIC && from->dentry == from->mnt->mnt_root && check_umount(from->mnt))
		return -EPERM;
	return check_mount(where, true);
}

#endif
