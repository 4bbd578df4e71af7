/* SPDX-License-Identifier: GPL-2.0-only */
/* Who acted, beyond the label: the process, its login, its parents, its cgroup and its command line. */
#ifndef BZ_ACTOR_H
#define BZ_ACTOR_H

#define NO_LOGIN (~0u)
#define CGROUP_STEPS 8

/*
 * The parents of a process, up to the unit's main process, whose own parent is PID 1. Which cgroups they are
 * in is not asked: a parent that moves itself elsewhere shall not hide that way.
 */
__noinline int write_ancestors(struct bz_event *event, __u64 of)
{
	struct task_struct *task = (struct task_struct *)of;
	__u32 i, pid;

	if (!event)
		return 0;
	for (i = 0; i < BZ_ANCESTORS; i++) {
		task = BPF_CORE_READ(task, group_leader, real_parent, group_leader);
		pid = BPF_CORE_READ(task, tgid);
		if (pid <= 1)
			return i;
		event->ancestors[i].pid = pid;
		event->ancestors[i].unused = 0;
		event->ancestors[i].start = BPF_CORE_READ(task, start_boottime);
		BPF_CORE_READ_INTO(&event->ancestors[i].comm, task, comm);
	}
	if (BPF_CORE_READ(task, group_leader, real_parent, tgid) > 1)
		event->marks |= BZ_MARK_ANCESTORS_CUT;
	return BZ_ANCESTORS;
}

/* The names of the task's cgroup and of those above it, as far as there is room: containers are called by
 * them. */
__noinline int write_cgroup(struct bz_event *event, __u64 of)
{
	struct task_struct *task = (struct task_struct *)of;
	struct cgroup *cgroup, *parent;
	__u32 at = 0, i;
	long len;

	if (!event)
		return 0;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	for (i = 0; i < CGROUP_STEPS && at < BZ_CGROUP; i++) {
		parent = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
		/* The root of the hierarchy has no name. */
		if (!parent)
			break;
		len = bpf_probe_read_kernel_str(&event->cgroup[at & (BZ_CGROUP - 1)], BZ_CGROUP_NAME,
						BPF_CORE_READ(cgroup, kn, name));
		if (len <= 0)
			break;
		at += len;
		cgroup = parent;
	}
	return at;
}

/*
 * The arguments with which the acting task's program was started. Only the running task's memory can be read,
 * and only what is not swapped out.
 */
__noinline int write_command(struct bz_event *event, __u64 of)
{
	struct task_struct *task = (struct task_struct *)of;
	__u64 start, len;

	if (!event || of != bpf_get_current_task())
		return 0;
	start = BPF_CORE_READ(task, mm, arg_start);
	len = BPF_CORE_READ(task, mm, arg_end) - start;
	if (!start || (long)len <= 0)
		return 0;
	if (len > BZ_COMMAND) {
		len = BZ_COMMAND;
		event->marks |= BZ_MARK_COMMAND_CUT;
	}
	/* Without the barrier the bound is checked on another register than the one that is used. */
	asm volatile("" : "+r"(len));
	if (len > BZ_COMMAND || bpf_probe_read_user(event->command, len, (void *)start)) {
		event->marks &= ~BZ_MARK_COMMAND_CUT;
		return 0;
	}
	return len;
}

/* All of it. The marks of the event are set before. */
static __always_inline void write_actor(struct bz_event *event, struct task_struct *task)
{
	event->start = BPF_CORE_READ(task, group_leader, start_boottime);
	event->login_uid = NO_LOGIN;
	event->session = NO_LOGIN;
	if (bpf_core_field_exists(task->loginuid)) {
		event->login_uid = BPF_CORE_READ(task, loginuid.val);
		event->session = BPF_CORE_READ(task, sessionid);
	}
	event->ancestors_len = write_ancestors(event, (__u64)task);
	event->cgroup_len = write_cgroup(event, (__u64)task);
	event->command_len = write_command(event, (__u64)task);
}

#endif
