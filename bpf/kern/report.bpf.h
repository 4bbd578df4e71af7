/* SPDX-License-Identifier: GPL-2.0-only */
/* What is told: the first act of a kind in full, its repeats as a count. */
#ifndef BZ_REPORT_H
#define BZ_REPORT_H

/* An act to be told, gathered on the hook's stack. */
struct act {
	__u64 dentry; /* of the object; the name of a cgroup; 0 for addresses */
	__u64 named;  /* what tells this dentry from others, see name_of() */
	__u64 task;   /* whose act it is */
	__u64 start;  /* of an observation early in the start of its unit: which one, so that each start tells
			 it */
	__u64 capabilities;
	union {
		struct {
			__u32 service;
			__u8 why;
			__u8 access;
			__u8 verdict;
			__u8 operation;
		};
		__u64 sort; /* all of these */
	};
	__u16 rule; /* outbound rules know theirs */
	__u16 port;
	__u16 protocol;
	__u8 object;
	__u8 observation;
	__u8 address[16]; /* of a connection; the id of a cgroup */
	__u32 slot;	  /* of the revision that judged it */
};

static __always_inline __u64 mix(__u64 h, __u64 value)
{
	h = (h ^ value) * 0xbf58476d1ce4e5b9ull;
	return h ^ (h >> 29);
}

/* Stands for a name: its file system, its directory and itself. From a pointer that the verifier knows, since
 * loads through it cost a tenth of what bpf_probe_read_kernel() does. */
static __always_inline __u64 name_of(struct dentry *dentry)
{
	__u64 h = mix(control.salt, dentry->d_sb->s_dev);

	h = mix(h, dentry->d_parent->d_inode->i_ino);
	return mix(h, dentry->d_name.hash);
}

/* Names this kind of act: service, capabilities, access, verdict and object. Never 0. */
static __always_inline __u64 key_of(struct act *act)
{
	__u64 h = mix(control.salt ^ act->start, act->sort);

	h = mix(h, act->capabilities);
	if (act->object == BZ_OBJECT_CGROUP) {
		h = mix(h, *(__u64 *)&act->address[0]);
	} else if (act->dentry) {
		h = mix(h, act->named);
	} else {
		h = mix(h, *(__u64 *)&act->address[0]);
		h = mix(h, *(__u64 *)&act->address[8]);
		h = mix(h, (__u64)act->port << 16 | act->protocol);
	}
	return h ? h : 1;
}

static __always_inline __u16 rule_of(struct act *act)
{
	__u32 slot = act->slot & 1, index = (slot * BZ_SERVICES + act->service) & (2 * BZ_SERVICES - 1);
	struct bz_policy *policy = bpf_map_lookup_elem(&policies, &index);
	struct bz_rule_key key = {.access = act->why == BZ_WHY_PROGRAM ? BZ_ACCESSES : act->access};
	__u32 *rule;
	int i;

	/* A service that the revision does not know was judged by the entry of all such, number 0. */
	key.service = (policy && policy->flags & BZ_POLICY_KNOWN ? act->service : 0) | slot << 31;

	for (i = 0; i < 64; i++)
		if (act->capabilities >> i & 1)
			break;
	key.capability = i;
	rule = bpf_map_lookup_elem(&rules, &key);
	return rule ? *rule : 0;
}

/* One more of what is told as a count. */
static __always_inline void add_one(__u64 *count)
{
	__sync_fetch_and_add(count, 1);
	__sync_fetch_and_add(&control.recounted, 1);
}

static __always_inline void flood(struct act *act)
{
	struct bz_flood_key key = {.service = act->service, .access = act->access, .verdict = act->verdict};
	__u64 zero = 0, *count;
	int i;

	key.capability = 0xffff;
	for (i = 63; i >= 0; i--)
		if (act->capabilities >> i & 1)
			key.capability = i;
	count = bpf_map_lookup_elem(&floods, &key);
	if (!count) {
		bpf_map_update_elem(&floods, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&floods, &key);
	}
	if (count)
		add_one(count);
	else
		lose(BZ_LOST_FLOOD);
}

/* Whether the service may have one more object of its own this minute. Racing CPUs may let a few more
 * through. */
static __always_inline bool novel(struct act *act)
{
	__u64 minute = bpf_ktime_get_ns() / 60000000000ull;
	__u32 index = act->service & (BZ_SERVICES - 1);
	struct bz_novelty *novelty = bpf_map_lookup_elem(&novelty_of, &index);

	if (!novelty)
		return false;
	if (novelty->minute != minute) {
		novelty->minute = minute;
		novelty->objects = 0;
	}
	return __sync_fetch_and_add(&novelty->objects, 1) < BZ_OBJECTS;
}

static __always_inline void fill(struct bz_event *event, struct act *act, __u64 key)
{
	struct task_struct *task = (struct task_struct *)act->task;
	struct dentry *exe = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
	struct dentry *dentry = act->object == BZ_OBJECT_CGROUP ? 0 : (struct dentry *)act->dentry;

	event->time = bpf_ktime_get_boot_ns();
	event->key = key;
	event->capabilities = act->capabilities;
	event->generation = control.generation[act->slot & 1];
	event->service = act->service;
	event->pid = BPF_CORE_READ(task, tgid);
	event->uid = BPF_CORE_READ(task, cred, euid.val);
	event->port = act->port;
	event->protocol = act->protocol;
	event->why = act->why;
	event->access = act->access;
	event->verdict = act->verdict;
	event->object = act->object;
	event->operation = act->operation;
	event->marks = act->start ? BZ_MARK_START : 0;
	__builtin_memcpy(event->address, act->address, sizeof(event->address));
	event->dev = dentry ? BPF_CORE_READ(dentry, d_sb, s_dev) : 0;
	event->magic = dentry ? BPF_CORE_READ(dentry, d_sb, s_magic) : 0;
	event->ino = dentry ? BPF_CORE_READ(dentry, d_inode, i_ino) : 0;
	event->exe_dev = exe ? BPF_CORE_READ(exe, d_sb, s_dev) : 0;
	event->exe_magic = exe ? BPF_CORE_READ(exe, d_sb, s_magic) : 0;
	event->path_len = 0;
	if (act->object == BZ_OBJECT_CGROUP)
		event->path_len = bpf_probe_read_kernel_str(event->path, BZ_COMPONENT, (void *)act->dentry);
	event->exe_len = 0;
}

static __always_inline void mark_untold(__u64 key)
{
	struct bz_seen *entry = bpf_map_lookup_elem(&seen, &key);

	if (entry)
		__sync_val_compare_and_swap(&entry->state, BZ_SEEN_TOLD, BZ_SEEN_UNTOLD);
}

/* Tells an act. Every path out of here either delivers it or counts it. */
__noinline int tell(struct act *act)
{
	bool admitted = false, uncounted = false;
	struct bz_seen fresh = {}, *known;
	struct task_struct *task;
	struct bz_event *event;
	struct dentry *exe;
	__u64 key, number, lost;
	__u32 ring;

	if (!act)
		return 0;
	key = key_of(act);
	known = bpf_map_lookup_elem(&seen, &key);
	if (!known) {
		fresh.service = act->service;
		admitted = novel(act);
		if (!admitted || bpf_map_update_elem(&seen, &key, &fresh, BPF_NOEXIST)) {
			/* Another CPU may have been first: then it is a repeat after all. */
			known = bpf_map_lookup_elem(&seen, &key);
			if (!known && !admitted) {
				flood(act);
				return 0;
			}
			/* Others have filled the table: told without being remembered, as its repeats will
			 * be. */
			if (!known)
				uncounted = true;
		}
	}
	/* One of those that find it untold tells it; the others are repeats. */
	if (known && known->state != BZ_SEEN_RETIRED) {
		if (known->state != BZ_SEEN_UNTOLD ||
		    __sync_val_compare_and_swap(&known->state, BZ_SEEN_UNTOLD, BZ_SEEN_TOLD) !=
			BZ_SEEN_UNTOLD) {
			add_one(&known->count);
			return 0;
		}
		known = 0;
	}
	/* Without a branch, which would have 6.1 look at all that follows twice. */
	ring = act->observation;
	lost = lost_before(ring);
	number = next_number(ring);
	event = act->observation ? bpf_ringbuf_reserve(&observations, sizeof(*event), 0)
				 : bpf_ringbuf_reserve(&violations, sizeof(*event), 0);
	if (!event) {
		number_lost(ring);
		lose(act->observation ? BZ_LOST_OBSERVATION : BZ_LOST_VIOLATION);
		/* What others have counted meanwhile is kept, for the record that will tell it. */
		if (!known && !uncounted)
			mark_untold(key);
		return 0;
	}
	/* Repeats of it will not be counted under this key any more. */
	fill(event, act, known || uncounted ? 0 : key);
	event->cpu = bpf_get_smp_processor_id();
	event->sequence = number;
	event->lost = lost;
	if (act->dentry && act->object != BZ_OBJECT_CGROUP)
		event->path_len = write_path(event, act->dentry, 0);
	task = (struct task_struct *)act->task;
	exe = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
	event->exe_len = write_path(event, (__u64)exe, 1);
	write_actor(event, task);
	/* Last: 6.1 looks at all that follows once more for each capability that the rule may be about. */
	event->rule = act->why == BZ_WHY_CAPABILITY || act->why == BZ_WHY_PROGRAM ? rule_of(act) : act->rule;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
