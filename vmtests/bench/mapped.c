// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * Measures `mmap exec` as the program `acts` measures the others: mapping a page of a file executable and unmapping it.
 * In C, since Rust has no safe call for it. Prints one JSON line, or with --once does it once: mapped [--once] FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 31, PER_ROUND = 50, MOST_SETS = 60, PAGE = 4096 };
/* Always the same place, far from where the kernel puts others: finding one costs more or less. */
#define PLACE ((void *)0x100000000000)
/* Two sets must agree within this fraction. */
static const double TOLERANCE = 0.005;

static void once(int file)
{
	void *page = mmap(PLACE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, 0);

	if (page == MAP_FAILED || munmap(page, PAGE)) {
		perror("mapped: mmap exec");
		exit(1);
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int by_value(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return (difference > 0) - (difference < 0);
}

/* The median of a set of rounds. */
static double set(int file)
{
	double rounds[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double from = now();

		for (int act = 0; act < PER_ROUND; act++)
			once(file);
		rounds[round] = (now() - from) / PER_ROUND;
	}
	qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
	return rounds[ROUNDS / 2];
}

int main(int count, char **arguments)
{
	int file = count > 1 ? open(arguments[count - 1], O_RDONLY | O_CLOEXEC) : -1;
	double earlier, later;

	if (file < 0) {
		perror("mapped [--once] FILE");
		return 1;
	}
	if (!strcmp(arguments[1], "--once")) {
		once(file);
		return 0;
	}
	earlier = set(file);
	for (int sets = 1; sets < MOST_SETS; sets++, earlier = later) {
		later = set(file);
		if ((later > earlier ? later - earlier : earlier - later) <= TOLERANCE * earlier) {
			printf("{\"operation\": \"mmap exec\", \"instructions\": %.0f}\n", later);
			return 0;
		}
	}
	fprintf(stderr, "mapped: no two of %d sets agree, the last was %.0f\n", MOST_SETS, later);
	return 1;
}
