/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of events: what a CPU tells in a ring is numbered without a gap, so that a missing one is noticed.
 */
#ifndef BZ_SEQUENCE_H
#define BZ_SEQUENCE_H

struct place {
	struct bz_sequence *sequence;
	__u64 number;
	__u64 lost;
};

/*
 * Takes the next number, before it is known whether there is room. What was lost is read first: another task
 * of this CPU may come in between, and then the reader takes too much for accounted for, never too little.
 */
static __always_inline void take_number(struct place *place, __u32 ring)
{
	place->number = 0;
	place->lost = 0;
	place->sequence = bpf_map_lookup_elem(&sequences, &ring);
	if (!place->sequence)
		return;
	place->lost = *(volatile __u64 *)&place->sequence->lost;
	place->number = __sync_fetch_and_add(&place->sequence->number, 1) + 1;
}

/* There was no room for the event of this number. */
static __always_inline void number_lost(struct place *place)
{
	if (place->sequence)
		__sync_fetch_and_add(&place->sequence->lost, 1);
}

static __always_inline void write_number(struct bz_event *event, struct place *place)
{
	event->cpu = bpf_get_smp_processor_id();
	event->sequence = place->number;
	event->lost = place->lost;
}

#endif
