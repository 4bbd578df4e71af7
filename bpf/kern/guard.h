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

/* The return value of a hook: a verdict of an LSM before us is passed on unchanged. */
#define JUDGED(name, verdict) ((ret) ? (ret) : GUARD(name) ? (verdict) : 0)

#endif
