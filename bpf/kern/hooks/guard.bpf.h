/* SPDX-License-Identifier: GPL-2.0-only */
/* Own safety: the file system that holds the pins. Names below it are labelled as our own, see judge(). */
#ifndef BZ_HOOK_GUARD_H
#define BZ_HOOK_GUARD_H

static __always_inline int check_umount(struct vfsmount *mnt)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {
	    .task = (__u64)task, .access = BZ_OPERATE, .why = BZ_WHY_TAMPER, .verdict = BZ_DENY};
	struct bz_policy *policy;
	__u64 magic = mnt->mnt_sb->s_magic;

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	/* A lazy unmount of /sys takes what is mounted below it along. */
	if (magic != BPF_FS_MAGIC && magic != SYSFS_MAGIC)
		return 0;
	act.epoch = control.epoch;
	policy = policy_of(subject->service, act.epoch);
	if (policy && policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	act.service = subject->service;
	act.object = BZ_OBJECT_OPERATION;
	act.operation = BZ_OP_UMOUNT;
	act.dentry = (__u64)mnt->mnt_root;
	tell(&act);
	return -EPERM;
}

#endif
