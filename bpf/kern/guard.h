/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names every guard, so that `scripts/test --mutants` can compile out one at a time and see that the
 * end-to-end tests notice. Otherwise each is the constant 1.
 */
#ifndef BZ_GUARD_H
#define BZ_GUARD_H

#ifdef BZ_MUTANT
#define GUARD(name) (__builtin_strcmp(#name, BZ_MUTANT) != 0)
#else
#define GUARD(name) 1
#endif

/*
 * Programs and maps that differ from the usual ones and mean the same: the tests of upgrades and downgrades
 * need two builds. Every walk is another program, and the table of edges has another shape.
 */
#ifdef BZ_OTHER_BUILD
#define WALK_UP 1023
#define BZ_EDGES (1 << 17)
#endif

/* The return value of a hook: a verdict of an LSM before us is passed on unchanged, and ours is counted. */
#define JUDGED(name, verdict) ((ret) ? (ret) : GUARD(name) ? counted(BZ_HOOK_##name, (verdict)) : 0)

#endif
