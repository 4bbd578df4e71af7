/* SPDX-License-Identifier: GPL-2.0-only */
/* What user space calls: the changes that must be atomic beside running hooks. */
#ifndef BZ_CALL_H
#define BZ_CALL_H

/* Makes the other slot count. Adding one flips the low bit and, as the epoch changed, drops every cached
 * label. */
SEC("syscall")
int call_flip(struct bz_call_flip *call)
{
	control.generation[(control.epoch + 1) & 1] = call->generation;
	control.start_time = call->start_time;
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

	struct bz_service *known;

	call->id = register_service(&unit);
	known = bpf_map_lookup_elem(&services, &unit);
	if (known && call->flags)
		__sync_fetch_and_or(&known->flags, call->flags);
	return 0;
}

/* Marks a kind of act as being read for the last time: from now on its acts are told one by one, and once all
 * CPUs have seen that, user space takes the entry out with its final count. */
SEC("syscall")
int call_retire(struct bz_call_retire *call)
{
	__u64 key = call->key;
	struct bz_seen *known = bpf_map_lookup_elem(&seen, &key);

	if (!known)
		return 0;
	/* Repeats of what nobody could tell have nothing to be added to. */
	if (__sync_lock_test_and_set(&known->state, BZ_SEEN_RETIRED) == BZ_SEEN_UNTOLD)
		lose_many(BZ_LOST_VIOLATION, known->count);
	return 0;
}

/* An inode with several names that was there before the programs were. */
SEC("syscall")
int call_link(struct bz_call_link *call)
{
	struct bz_inode_key key = call->key;
	struct bz_label label = call->label;

	if (GUARD(older_links))
		add_link(&key, call->generation, &label, true);
	return 0;
}

/* Labels the tasks that were running before the programs were loaded, from the cgroup that they sit in. */
SEC("iter/task")
int label_tasks(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct bz_subject *subject;
	struct bz_cgroup *unit;

	if (!task)
		return 0;
	subject = subject_of(task);
	if (!subject) {
		relabel(task);
		subject = subject_of(task);
	}
	if (subject && !(subject->flags & BZ_SUBJECT_LABELLED)) {
		/* Forked since the programs are attached, by a task that had no label yet. */
		unit = unit_of(task->cgroups->dfl_cgrp);
		if (unit) {
			subject->service = unit->service;
			if (unit->session)
				subject->flags |= BZ_SUBJECT_SESSION;
		}
		subject->flags |= BZ_SUBJECT_LABELLED;
		relabelled();
	}
	return 0;
}

#endif
