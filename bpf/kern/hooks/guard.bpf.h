/* SPDX-License-Identifier: GPL-2.0-only */
/* Own safety: the daemon, its maps and programs, and the file system that holds the pins. Names below it are
 * labelled as our own, see judge(). */
#ifndef BZ_HOOK_GUARD_H
#define BZ_HOOK_GUARD_H

static __always_inline int check_umount(struct vfsmount *mnt)
{
	__u32 service = governed();
	__u64 magic = mnt->mnt_sb->s_magic;

	if (!service)
		return 0;
	/* A lazy unmount of /sys takes what is mounted below it along. */
	if (GUARD(pins) && (magic == BPF_FS_MAGIC || magic == SYSFS_MAGIC))
		return judge_own(service, BZ_OP_UMOUNT, mnt->mnt_root);
	return judge_operation(service, BZ_OP_UMOUNT, mnt->mnt_root);
}

/* The program that a task runs, as the object of what is done to the task. */
static __always_inline struct dentry *program_of(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct file *exe = mm ? mm->exe_file : 0;

	return exe ? exe->f_path.dentry : 0;
}

static __always_inline bool is_self(struct bz_subject *other)
{
	struct bz_policy *policy;

	if (!other || !other->service)
		return false;
	policy = policy_of(other->service, control.epoch);
	return policy && policy->flags & BZ_POLICY_SELF;
}

static __always_inline int check_signal(struct task_struct *target, int signal)
{
	struct bz_subject *other;
	__u32 service;

	if (!signal)
		return 0;
	/* PID 1 takes signals for commands: to reload, to start itself anew, to halt the machine. */
	if (GUARD(init) && target->tgid == 1) {
		service = governed();
		return service ? judge_operation(service, BZ_OP_SIGNAL_INIT, program_of(target)) : 0;
	}
	other = subject_of(target);
	if (!is_self(other))
		return 0;
	service = governed();
	if (!service)
		return 0;
	return judge_own(service, BZ_OP_SIGNAL, program_of(target));
}

/*
 * A signal that the kernel sends because a file is ready (F_SETOWN, F_SETSIG: any signal): whoever makes it
 * ready need not be who asked for it, and may be no task at all. Bartizan asks for none.
 */
static __always_inline int check_file_signal(struct task_struct *target)
{
	__u32 service;

	if (!is_self(subject_of(target)))
		return 0;
	service = governed();
	if (service)
		judge_own(service, BZ_OP_SIGNAL, program_of(target));
	return -EPERM;
}

/* Limits and priorities, with which a process can be starved or made to be killed. */
static __always_inline int check_limits(struct task_struct *target)
{
	__u32 service;

	if (!is_self(subject_of(target)))
		return 0;
	service = governed();
	return service ? judge_own(service, BZ_OP_LIMITS, program_of(target)) : 0;
}

/* Looking at another task is ordinary (ps), getting hold of its memory or descriptors is not. */
static __always_inline int check_ptrace(struct task_struct *target, unsigned int mode)
{
	struct bz_subject *other;
	__u32 service;

	if (!(mode & PTRACE_MODE_ATTACH))
		return 0;
	service = governed();
	if (!service)
		return 0;
	other = subject_of(target);
	if (is_self(other))
		return judge_own(service, BZ_OP_PTRACE, program_of(target));
	/* A service may look into its own processes: that gains nothing, unless the process is still PID 1's,
	 * which is not governed yet and could be made to do anything. */
	if (other && other->service == service &&
	    !(GUARD(preparing) && other->flags & (BZ_SUBJECT_BORN | BZ_SUBJECT_PREPARING)))
		return 0;
	return judge_operation(service, BZ_OP_PTRACE, program_of(target));
}

/* A descriptor of a map or program is made. */
static __always_inline int check_own_object(__u32 id, __u32 program)
{
	struct bz_own_key key = {.id = id, .program = program};
	__u32 service = governed();

	if (!service || !bpf_map_lookup_elem(&own_objects, &key))
		return 0;
	return judge_own(service, BZ_OP_BPF, 0);
}

#endif
