/** Numbers that transport headers and connection tracking have for what rules name. */

/** RFC 792, RFC 4443 */
export const icmpTypes = {
	icmp: { "destination-unreachable": 3, "time-exceeded": 11, "parameter-problem": 12 },
	icmpv6: { "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4 },
} as const;
export const icmpProtocols = { icmp: 1, icmpv6: 58 } as const;
/** RFC 9293 section 3.1 */
export const tcpSyn = 0x02;
export const tcpAck = 0x10;

/** IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h */
export const translated = 0x20;
/** IPS_CONFIRMED */
export const confirmed = 0x08;

/** enum ip_conntrack_info and nft's NF_CT_STATE_BIT. */
export const states: Readonly<Record<string, number>> = { invalid: 1, established: 2, related: 4, new: 8 };
