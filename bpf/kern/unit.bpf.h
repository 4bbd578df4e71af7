/* SPDX-License-Identifier: GPL-2.0-only */
/* Units: from the name of a cgroup to the number of a service. */
#ifndef BZ_UNIT_H
#define BZ_UNIT_H

/* Tells that there is a new service. Where the ring is full it is only counted: user space also reads the map
 * from time to time. */
static __always_inline void announce(struct bz_unit *unit, __u32 id)
{
	struct bz_event *event = bpf_ringbuf_reserve(&observations, sizeof(*event), 0);

	if (!event) {
		lose(BZ_LOST_OBSERVATION);
		return;
	}
	__builtin_memset(event, 0, offsetof(struct bz_event, path));
	event->time = bpf_ktime_get_boot_ns();
	event->why = BZ_WHY_SERVICE;
	event->service = id;
	__builtin_memcpy(event->path, unit, sizeof(*unit));
	event->path_len = sizeof(*unit);
	/* Not numbered, as nothing is lost with it. */
	event->sequence = 0;
	bpf_ringbuf_submit(event, 0);
}

/*
 * The number of a service, given at first sight. When none is left all new ones share the last: they are
 * labelled all the same, and get what goes for a service that nobody has named.
 */
static __always_inline __u32 register_service(struct bz_unit *unit)
{
	struct bz_service *known = bpf_map_lookup_elem(&services, unit);
	struct bz_carried *counts = carried_on();
	struct bz_service fresh = {};

	if (known)
		return known->id;
	if (!counts)
		return BZ_SERVICE_OTHERS;
	fresh.id = __sync_fetch_and_add(&counts->last_service, 1) + 1;
	if (fresh.id >= BZ_SERVICE_OTHERS) {
		lose(BZ_LOST_SERVICE);
		return BZ_SERVICE_OTHERS;
	}
	/* Two CPUs may meet here for one name: the loser's number stays unused. */
	if (bpf_map_update_elem(&services, unit, &fresh, BPF_NOEXIST) == 0)
		announce(unit, fresh.id);
	known = bpf_map_lookup_elem(&services, unit);
	return known ? known->id : BZ_SERVICE_OTHERS;
}

#define SUFFIX 8			   /* strlen(".service") */
#define DOT_SCOPE 0x65706f63732eull	   /* ".scope" */
#define DOT_SERVICE 0x656369767265732eull  /* ".service", as a little-endian word */
#define SESSION_DASH 0x2d6e6f6973736573ull /* "session-" */

struct naming {
	struct bz_unit unit;
	__u32 end; /* where the suffix starts */
	__u32 at;  /* behind the '@' of a template, 0 if there is none */
};

/* Clears what is not part of the service's name, as the rest becomes the key of a hash map. */
static long tidy_one(__u32 index, void *context)
{
	struct naming *naming = context;

	if (index >= BZ_UNIT_MAX)
		return 1;
	if (index < naming->end && !naming->at && naming->unit.name[index] == '@')
		naming->at = index + 1;
	if (index >= naming->end || (naming->at && index >= naming->at))
		naming->unit.name[index] = 0;
	return 0;
}

/* The service of a cgroup's name: `nginx.service` → `nginx`, `getty@tty1.service` → `getty@`; 0 for all
 * others. */
static __always_inline __u32 service_of_name(const char *name, struct naming *naming, long len)
{
	__u64 tail = 0;

	if (len <= SUFFIX + 1 || len >= BZ_UNIT_MAX)
		return 0;
	naming->end = len - 1 - SUFFIX;
	bpf_probe_read_kernel(&tail, sizeof(tail), name + naming->end);
	if (tail != DOT_SERVICE)
		return 0;
	bpf_loop(BZ_UNIT_MAX, tidy_one, naming, 0);
	return register_service(&naming->unit);
}

/* `session-3.scope`, and no service that is called like one. */
static __always_inline bool is_session(const char *name, const struct naming *naming, long len)
{
	__u64 tail = 0;

	if (*(__u64 *)naming->unit.name != SESSION_DASH || len < 8)
		return false;
	bpf_probe_read_kernel(&tail, 6, name + len - 7);
	return tail == DOT_SCOPE;
}

/*
 * What a cgroup of the v2 hierarchy means. False: nothing. `by_name`: its own name counts, which is PID 1's
 * word.
 */
static __always_inline bool classify(struct cgroup *cgroup, struct bz_cgroup *fresh, bool by_name)
{
	struct cgroup *parent = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
	struct naming naming = {};
	struct bz_cgroup *above;
	const char *name;
	__u64 id;
	long len;

	id = BPF_CORE_READ(parent, kn, id);
	above = bpf_map_lookup_elem(&cgroups, &id);
	if (above) {
		/* A delegated or control sub-cgroup belongs to the unit above it. */
		*fresh = *above;
		return true;
	}
	if (!by_name)
		return false;
	name = BPF_CORE_READ(cgroup, kn, name);
	len = bpf_probe_read_kernel_str(naming.unit.name, sizeof(naming.unit.name), name);
	fresh->session = is_session(name, &naming, len);
	if (!fresh->session)
		fresh->service = service_of_name(name, &naming, len);
	return fresh->service || fresh->session;
}

/*
 * `by_service`: a labelled task made it. Whatever it calls the cgroup, that is no unit, and takes up no
 * number of a service; should PID 1 place a task there one day, its name counts from then on.
 */
static __always_inline void cgroup_made(struct cgroup *cgroup, bool by_service)
{
	struct bz_cgroup fresh = {};
	__u64 id;

	if (cgroup->root->hierarchy_id != 0 || !classify(cgroup, &fresh, !by_service))
		return;
	id = cgroup->kn->id;
	if (bpf_map_update_elem(&cgroups, &id, &fresh, BPF_ANY))
		lose(BZ_LOST_CGROUP);
}

static __always_inline void cgroup_gone(struct cgroup *cgroup)
{
	__u64 id = cgroup->kn->id;

	if (cgroup->root->hierarchy_id == 0)
		bpf_map_delete_elem(&cgroups, &id);
}

#endif
