/** Numbers that transport headers have for what rules name. */

/** RFC 792, RFC 4443 */
export const icmpTypes = {
	icmp: { "destination-unreachable": 3, "time-exceeded": 11, "parameter-problem": 12 },
	icmpv6: { "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4 },
} as const;
export const icmpProtocols = { icmp: 1, icmpv6: 58 } as const;
/** RFC 9293 section 3.1 */
export const tcpSyn = 0x02;
export const tcpAck = 0x10;
