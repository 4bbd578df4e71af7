// SPDX-License-Identifier: GPL-2.0-only
/* Wraps `decide` so that a test can call it without a hook: syscall programs load and run where lsm/ ones may
 * not. */
#include "kernel.h"
#include "wire.h"
#include "decide.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Where the masks are read from: unlike a syscall program's context, a map may be read at an offset that is
 * only known when it runs, which is how the hooks read theirs. */
static struct bz_call_decide copy;

SEC("syscall")
int call_decide(struct bz_call_decide *call)
{
	__u32 access = call->access;
	struct decision out;

	__builtin_memcpy(&copy, call, sizeof(copy));
	decide(&copy.policy, access < BZ_ACCESSES ? copy.label.need[access] : 0, access, call->starting,
	       &out);
	call->missing = out.missing;
	call->observed = out.observed;
	call->verdict = out.verdict;
	return 0;
}
