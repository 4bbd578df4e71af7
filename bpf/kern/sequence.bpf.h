/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers of events: what a CPU tells in a ring is numbered without a gap, so that a missing one is noticed.
 * Global functions, which give plain numbers: 6.1 would look at all that follows once more for a CPU that has
 * no entry.
 */
#ifndef BZ_SEQUENCE_H
#define BZ_SEQUENCE_H

/*
 * What has been lost on this CPU. Read before the number is taken: another task of this CPU may come in
 * between, and then the reader takes too much for accounted for, never too little.
 */
__noinline __u64 lost_before(__u32 ring)
{
	struct bz_sequence *sequence = bpf_map_lookup_elem(&sequences, &ring);

	return sequence ? *(volatile __u64 *)&sequence->lost : 0;
}

/* Takes the next number, before it is known whether there is room. */
__noinline __u64 next_number(__u32 ring)
{
	struct bz_sequence *sequence = bpf_map_lookup_elem(&sequences, &ring);

	return sequence ? __sync_fetch_and_add(&sequence->number, 1) + 1 : 0;
}

/* There was no room for the event of a number. */
__noinline int number_lost(__u32 ring)
{
	struct bz_sequence *sequence = bpf_map_lookup_elem(&sequences, &ring);

	if (sequence)
		__sync_fetch_and_add(&sequence->lost, 1);
	return 0;
}

#endif
