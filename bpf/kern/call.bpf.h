/* SPDX-License-Identifier: GPL-2.0-only */
/* What user space calls: the changes that must be atomic beside running hooks. */
#ifndef BZ_CALL_H
#define BZ_CALL_H

/* Makes the other slot count. Adding one flips the low bit and, as the epoch changed, drops every cached
 * label. */
SEC("syscall")
int call_flip(void *context)
{
	__sync_fetch_and_add(&control.epoch, 1);
	return 0;
}

/* Drops every cached label. */
SEC("syscall")
int call_forget(void *context)
{
	__sync_fetch_and_add(&control.epoch, 2);
	return 0;
}

SEC("syscall")
int call_register(struct bz_call_register *call)
{
	struct bz_unit unit = call->unit;

	call->id = register_service(&unit);
	return 0;
}

/* Labels the tasks that were running before the programs were loaded, from the cgroup that they sit in. */
SEC("iter/task")
int label_tasks(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct bz_subject fresh = {.flags = BZ_SUBJECT_LABELLED};
	struct bz_subject *subject;
	struct bz_cgroup *unit;

	if (!task)
		return 0;
	subject = bpf_task_storage_get(&subjects, task, 0, 0);
	if (subject && subject->flags & BZ_SUBJECT_LABELLED)
		return 0;
	unit = unit_of(task->cgroups->dfl_cgrp);
	if (unit) {
		fresh.service = unit->service;
		if (unit->session)
			fresh.flags |= BZ_SUBJECT_SESSION;
	}
	make_subject(task, &fresh);
	return 0;
}

#endif
