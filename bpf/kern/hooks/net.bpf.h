/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections. */
#ifndef BZ_HOOK_NET_H
#define BZ_HOOK_NET_H

struct address {
	__u8 start[8];
	__u8 six[16];
};

/* The address as the table has it, IPv4 mapped into IPv6. The first loads are within `struct sockaddr`, as
 * the verifier knows it. */
static __always_inline bool normalise(struct sockaddr *from, struct bz_outbound_key *key)
{
	struct address address;

	if (from->sa_family == AF_INET) {
		key->address[10] = 0xff;
		key->address[11] = 0xff;
		*(__u32 *)&key->address[12] = *(__u32 *)&from->sa_data[2];
		return true;
	}
	if (from->sa_family != AF_INET6 || bpf_probe_read_kernel(&address, sizeof(address), from))
		return false;
	__builtin_memcpy(key->address, address.six, 16);
	return true;
}

/* Judges a connection by an entry of the table. A function of its own: most connections meet none. */
static __always_inline int judge_connection(__u32 service, struct bz_outbound *entry, __u16 port,
					    struct socket *socket, struct bz_outbound_key *key, __u64 epoch)
{
	struct act act = {.task = bpf_get_current_task(),
			  .access = BZ_CONNECT,
			  .why = BZ_WHY_OUTBOUND,
			  .object = BZ_OBJECT_ADDRESS,
			  .service = service,
			  .port = port,
			  .slot = epoch & 1};
	struct sock *sk = socket->sk;
	int i;

	__builtin_memcpy(act.address, key->address, 16);
	if (sk)
		act.protocol = sk->sk_protocol;
	for (i = 0; i < BZ_PORTS; i++) {
		if (i >= entry->count)
			break;
		if (port < entry->ports[i].first || port > entry->ports[i].last)
			continue;
		act.rule = entry->ports[i].rule;
		act.verdict = entry->ports[i].prevent ? BZ_DENY : BZ_AUDIT;
		tell(&act);
		if (act.verdict == BZ_DENY)
			return -EPERM;
		return AUDITED;
	}
	return 0;
}

static __always_inline int check_connect(struct socket *socket, struct sockaddr *to)
{
	struct bz_outbound_key key = {.bits = 32 + 128};
	__u32 service = governed();
	struct bz_outbound *entry;
	struct bz_policy *policy;
	__u64 epoch;
	__u16 port;

	if (!service)
		return 0;
	epoch = control.epoch;
	policy = policy_of(service, epoch);
	if (!policy || !(policy->flags & BZ_POLICY_OUTBOUND) || policy->flags & BZ_POLICY_EXEMPT)
		return 0;
	port = bpf_ntohs(*(__u16 *)&to->sa_data[0]);
	if (port < policy->first_port || port > policy->last_port || !normalise(to, &key))
		return 0;
	key.service = bpf_htonl(service | (__u32)(epoch & 1) << 31);
	entry = bpf_map_lookup_elem(&outbound, &key);
	return entry ? judge_connection(service, entry, port, socket, &key, epoch) : 0;
}

#endif
