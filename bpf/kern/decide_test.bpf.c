// SPDX-License-Identifier: GPL-2.0-only
/* Wraps `decide` so that a test can call it without a hook: syscall programs load and run where lsm/ ones may
 * not. */
#include "kernel.h"
#include "wire.h"
#include "decide.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int call_decide(struct bz_call_decide *call)
{
	struct bz_policy policy = call->policy;
	__u32 access = call->access;
	struct decision out;

	decide(&policy, access < BZ_ACCESSES ? call->label.need[access] : 0, access, &out);
	call->missing = out.missing;
	call->observed = out.observed;
	call->verdict = out.verdict;
	return 0;
}
