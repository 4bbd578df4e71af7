/* SPDX-License-Identifier: GPL-2.0-only */
/* Own safety: the file system that holds the pins. Names below it are labelled as our own, see judge(). */
#ifndef BZ_HOOK_GUARD_H
#define BZ_HOOK_GUARD_H

static __always_inline int check_umount(struct vfsmount *mnt)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bz_subject *subject = governed(task);
	struct act act = {.task = (__u64)task};
	struct bz_policy *policy;
	__u64 magic = mnt->mnt_sb->s_magic;

	if (!subject || subject->flags & BZ_SUBJECT_PREPARING)
		return 0;
	act.dentry = (__u64)mnt->mnt_root;
	act.epoch = control.epoch;
	/* A lazy unmount of /sys takes what is mounted below it along. */
	if (magic != BPF_FS_MAGIC && magic != SYSFS_MAGIC)
		return judge_operation(subject, BZ_OP_UMOUNT, &act);
	policy = policy_of(subject->service, act.epoch);
	if (policy && policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	act.service = subject->service;
	act.access = BZ_OPERATE;
	act.why = BZ_WHY_TAMPER;
	act.verdict = BZ_DENY;
	act.object = BZ_OBJECT_OPERATION;
	act.operation = BZ_OP_UMOUNT;
	tell(&act);
	return -EPERM;
}

#endif
