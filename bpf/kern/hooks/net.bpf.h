/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections. */
#ifndef BZ_HOOK_NET_H
#define BZ_HOOK_NET_H

struct address {
	__u16 family;
	__u16 port;
	union {
		__u32 four;
		struct {
			__u32 flow;
			__u8 six[16];
		};
	};
};

static __always_inline bool normalise(struct sockaddr *from, struct act *act)
{
	struct address address = {};

	if (bpf_probe_read_kernel(&address, 8, from))
		return false;
	act->port = bpf_ntohs(address.port);
	if (address.family == AF_INET) {
		act->address[10] = 0xff;
		act->address[11] = 0xff;
		__builtin_memcpy(&act->address[12], &address.four, 4);
		return true;
	}
	if (address.family != AF_INET6 || bpf_probe_read_kernel(&address, sizeof(address), from))
		return false;
	__builtin_memcpy(act->address, address.six, 16);
	return true;
}

static __always_inline int check_connect(struct socket *socket, struct sockaddr *to)
{
	struct bz_subject *subject = governed();
	struct act act = {.task = bpf_get_current_task(),
			  .access = BZ_CONNECT,
			  .why = BZ_WHY_OUTBOUND,
			  .object = BZ_OBJECT_ADDRESS};
	struct bz_outbound_key key = {.bits = 32 + 128};
	struct sock *sk = socket->sk;
	struct bz_outbound *entry;
	struct bz_policy *policy;
	int i;

	if (!subject)
		return 0;
	act.epoch = control.epoch;
	policy = policy_of(subject->service, act.epoch);
	if (!policy || !(policy->flags & BZ_POLICY_OUTBOUND) || policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	if (!normalise(to, &act))
		return 0;
	key.service = bpf_htonl(subject->service | (__u32)(act.epoch & 1) << 31);
	__builtin_memcpy(key.address, act.address, 16);
	entry = bpf_map_lookup_elem(&outbound, &key);
	if (!entry)
		return 0;
	act.service = subject->service;
	if (sk)
		act.protocol = sk->sk_protocol;
	for (i = 0; i < BZ_PORTS; i++) {
		if (i >= entry->count)
			break;
		if (act.port < entry->ports[i].first || act.port > entry->ports[i].last)
			continue;
		act.rule = entry->ports[i].rule;
		act.verdict = entry->ports[i].prevent ? BZ_DENY : BZ_AUDIT;
		tell(&act);
		if (act.verdict == BZ_DENY)
			return -EPERM;
		return 0;
	}
	return 0;
}

#endif
