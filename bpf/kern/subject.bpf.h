/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who acts: the task's label. It is given when PID 1 places a task, follows it through fork, and never
 * changes because the task moves itself or has itself moved.
 */
#ifndef BZ_SUBJECT_H
#define BZ_SUBJECT_H

static __always_inline struct bz_subject *subject_of(struct task_struct *task)
{
	struct bz_subject *subject = bpf_task_storage_get(&subjects, task, 0, 0);
	__u32 pid;

	if (subject)
		return subject;
	pid = task->pid;
	return bpf_map_lookup_elem(&subjects_by_pid, &pid);
}

/* Storage for a task, with what `initial` says where there was none. Retried, since 6.1 can fail under
 * preemption. */
static __always_inline struct bz_subject *make_subject(struct task_struct *task, struct bz_subject *initial)
{
	struct bz_subject *subject;
	__u32 pid;

	subject = bpf_task_storage_get(&subjects, task, initial, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!subject)
		subject = bpf_task_storage_get(&subjects, task, initial, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (subject)
		return subject;
	lose(BZ_LOST_SUBJECT);
	pid = task->pid;
	bpf_map_update_elem(&subjects_by_pid, &pid, initial, BPF_ANY);
	return bpf_map_lookup_elem(&subjects_by_pid, &pid);
}

/* A label was made or is another now. A new task may have the address of one that is gone. */
static __always_inline void relabelled(void)
{
	if (GUARD(relabelled))
		__sync_fetch_and_add(&control.changes, 1);
}

/* The cgroup's unit, or nothing when the cgroup belongs to none or to another hierarchy. */
static __always_inline struct bz_cgroup *unit_of(struct cgroup *cgroup)
{
	__u64 id;

	/* On hybrid systems the ids of v1 hierarchies collide with those of v2, whose number is always 0. */
	if (!cgroup || cgroup->root->hierarchy_id != 0)
		return 0;
	id = cgroup->kn->id;
	return bpf_map_lookup_elem(&cgroups, &id);
}

/* For a task whose label is lost or was never made: the unit that it sits in is the best there is. */
static __always_inline void relabel(struct task_struct *task)
{
	struct bz_subject fresh = {.flags = BZ_SUBJECT_LABELLED};
	struct bz_cgroup *unit = unit_of(task->cgroups->dfl_cgrp);

	if (unit) {
		fresh.service = unit->service;
		if (unit->session)
			fresh.flags |= BZ_SUBJECT_SESSION;
	}
	make_subject(task, &fresh);
	relabelled();
}

/* A global function, which the verifier looks at once and not for every hook. */
__noinline int relabel_current(void)
{
	lose(BZ_UNLABELLED);
	relabel(bpf_get_current_task_btf());
	return 0;
}

/*
 * PID 1 has placed a task in a unit's cgroup: the unit starts if nobody was placed there before, as PID 1
 * removes the cgroup of a unit that has stopped and makes another one for the next start. Whoever comes
 * later, as the command of a reload does, has what is left of that time. Sub-cgroups, which a unit may make
 * for itself, have that of the unit.
 */
static __always_inline void placed(struct cgroup *cgroup, struct bz_cgroup *unit, struct bz_subject *subject)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct bz_cgroup *above;
	__u64 id;
	int i;

	if (!unit || !unit->service)
		return;
	for (i = 0; i < 4; i++) {
		cgroup = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
		id = BPF_CORE_READ(cgroup, kn, id);
		above = bpf_map_lookup_elem(&cgroups, &id);
		if (!above || above->service != unit->service)
			break;
		unit = above;
	}
	if (!unit->starting || !GUARD(start_once))
		unit->starting = now + control.start_time;
	subject->starting = unit->starting > now ? unit->starting : 0;
}

/* What is left of the start to which a task belongs, in ns. */
static __always_inline __u64 left_of_start(__u64 starting)
{
	__u64 now;

	if (!starting)
		return 0;
	if (!GUARD(start_ends))
		return control.start_time;
	now = bpf_ktime_get_boot_ns();
	return starting > now ? starting - now : 0;
}

/* Returns the service whose child was born in another's cgroup (CLONE_INTO_CGROUP fires no attach), or 0. */
static __always_inline __u32 born(struct task_struct *task)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct bz_subject child = {};
	struct bz_subject *own = subject_of(parent);
	struct bz_cgroup *unit;

	if (own) {
		child.service = own->service;
		/* A parent without a label leaves the child to label_tasks, too. */
		child.flags = own->flags & (BZ_SUBJECT_LABELLED | BZ_SUBJECT_SESSION | BZ_SUBJECT_PREPARING);
		child.starting = own->starting;
	}
	if (parent->tgid == 1) {
		child.flags |= BZ_SUBJECT_BORN;
		/* CLONE_INTO_CGROUP (systemd >= 254): already inside the unit, and no attach will follow. */
		unit = unit_of(task->cgroups->dfl_cgrp);
		if (unit && unit->service) {
			child.service = unit->service;
			child.flags |= BZ_SUBJECT_PREPARING | BZ_SUBJECT_LABELLED;
			placed(task->cgroups->dfl_cgrp, unit, &child);
		}
	}
	make_subject(task, &child);
	relabelled();
	if (parent->tgid == 1 || !child.service || task->cgroups->dfl_cgrp == parent->cgroups->dfl_cgrp)
		return 0;
	unit = unit_of(task->cgroups->dfl_cgrp);
	return unit && unit->service == child.service ? 0 : child.service;
}

/*
 * Whether this attach is a placement. The design asks for a child of PID 1 that has not executed anything;
 * real_parent and PF_FORKNOEXEC alone would also fit a service's own orphan that moves itself (double fork,
 * no exec), so the label remembers who forked it.
 */
static __always_inline bool is_placement(struct task_struct *current, struct task_struct *task,
					 struct bz_subject *subject)
{
	if (!subject)
		return false;
	if (!GUARD(placement))
		return true;
	if (!(subject->flags & BZ_SUBJECT_BORN) || !(task->flags & PF_FORKNOEXEC))
		return false;
	return current->tgid == 1 || current->pid == task->pid;
}

static __always_inline bool may_open_session(__u32 service)
{
	__u32 index = ((control.epoch & 1) * BZ_SERVICES + service) & (2 * BZ_SERVICES - 1);
	struct bz_policy *policy = bpf_map_lookup_elem(&policies, &index);

	return policy && (policy->flags & BZ_POLICY_LOGIN);
}

/* Returns the service that the task left behind without leave, or 0. */
static __always_inline __u32 attached(struct cgroup *target, struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct bz_subject *subject = subject_of(task);
	struct bz_cgroup fresh = {};
	struct bz_cgroup *unit;
	__u32 service;

	if (target->root->hierarchy_id != 0)
		return 0;
	unit = unit_of(target);
	service = unit ? unit->service : 0;
	/* Beside another set of programs that was asked first, the label is another already, see executed().
	 */
	relabelled();
	if (is_placement(current, task, subject)) {
		/* The table of cgroups may have been full when this one was made. */
		if (!unit && classify(target, &fresh, true))
			service = fresh.service;
		subject->service = service;
		subject->starting = 0;
		subject->flags |= BZ_SUBJECT_LABELLED;
		if (service)
			subject->flags |= BZ_SUBJECT_PREPARING;
		placed(target, unit, subject);
		relabelled();
		return 0;
	}
	if (!subject || !subject->service || subject->service == service)
		return 0;
	if (unit && unit->session && current->tgid == 1 &&
	    (!GUARD(session) || may_open_session(subject->service))) {
		subject->service = 0;
		subject->starting = 0;
		subject->flags |= BZ_SUBJECT_SESSION;
		relabelled();
		return 0;
	}
	return subject->service;
}

/*
 * During an upgrade two sets of programs share the labels, and each looks at every execution: the first
 * changes the label, and the second has to know that too. The number of the execution keeps it from taking
 * the same one for the next.
 */
static __always_inline void executed(struct task_struct *task)
{
	struct bz_subject *subject = subject_of(task);
	__u32 flags, execution = task->self_exec_id & 0xffff;

	if (!subject)
		return;
	flags = subject->flags;
	if (flags >> BZ_SUBJECT_EXEC_SHIFT != execution) {
		if (!(flags & (BZ_SUBJECT_EXECUTOR | BZ_SUBJECT_BORN | BZ_SUBJECT_PREPARING)))
			return;
		if (flags & BZ_SUBJECT_EXECUTOR)
			flags &= ~BZ_SUBJECT_EXECUTOR;
		else
			flags &= ~(BZ_SUBJECT_BORN | BZ_SUBJECT_PREPARING);
		subject->flags = (flags & 0xffff) | execution << BZ_SUBJECT_EXEC_SHIFT;
	}
	relabelled();
}

#endif
