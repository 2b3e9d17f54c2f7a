/**
 * What a host must be able to receive and send whatever the policies say:
 * neighbour and router discovery, multicast membership, address configuration,
 * and the errors about flows that it has, which path-MTU discovery and
 * connections rely on. Redirects are not among it: they send a host's packets
 * elsewhere, and a host works without them.
 */

import type { Direction, Family } from "../../../../base/model.ts";
import { icmp, icmpv6, igmp } from "../../../../base/protocol.ts";
import { joined, jump, protocolKey } from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import type { ObjectStore } from "./objects.ts";

/** Neighbour and router discovery never crosses a router, which hop limit 255 proves (RFC 4861 section 7.1). */
export const discovery =
	"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept";

/** RFC 2710 section 3 and RFC 3810 section 5: link-local source and hop limit 1; reports also before an address is confirmed. */
const listeners = [
	"icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 saddr fe80::/10 ip6 hoplimit 1 accept",
	"icmpv6 type { mld-listener-report, mld2-listener-report } ip6 saddr :: ip6 hoplimit 1 accept",
];

/** RFC 4890 section 4.3.1, RFC 1122 section 3.2.2 and RFC 1191: of a flow that connection tracking knows. */
export const errors: Readonly<Record<Family, string>> = {
	4: "icmp type { destination-unreachable, time-exceeded, parameter-problem } ct state related accept",
	6: "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } ct state related accept",
};

/**
 * RFC 3376 section 4: routers ask (0x11), hosts report and leave (0x12, 0x16, 0x17, 0x22). The type is read as a byte,
 * as older nft has no word for it.
 */
const membership: Readonly<Record<Direction, string>> = {
	ingress: `${protocolKey} ${igmp} ip ttl 1 ip daddr 224.0.0.0/4 @th,0,8 0x11 accept`,
	egress: `${protocolKey} ${igmp} ip ttl 1 ip daddr 224.0.0.0/4 @th,0,8 { 0x12, 0x16, 0x17, 0x22 } accept`,
};

/**
 * RFC 2131 section 4.1 and RFC 8415 section 7.2. A server or relay of DHCPv6 answers from any of its addresses and ports,
 * to the link-local address of who asked: no router forwards that.
 */
const configuration: Readonly<Record<Direction, Readonly<Record<Family, string>>>> = {
	ingress: {
		4: "udp sport 67 udp dport 68 accept",
		6: "udp dport 546 ip6 daddr fe80::/10 accept",
	},
	egress: {
		4: "udp sport 68 udp dport 67 accept",
		6: "ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept",
	},
};

/**
 * Adds the chain and returns the rules that every new flow of a family meets: plain comparisons, as a map lookup
 * with a jump costs a UDP packet several times as much.
 */
export function addEssentials(store: ObjectStore, direction: Direction, family: Family): readonly Rule[] {
	const rules = family === 4 ? [errors[4], membership[direction]] : [discovery, ...listeners, errors[6]];
	const chain = store.chain(rules);
	// ICMP is 1 and IGMP 2: one comparison finds both, and option headers (0), which the chain knows nothing of.
	const protocol = family === 4 ? `< ${igmp + 1}` : String(icmpv6);
	return [joined(`${protocolKey} ${protocol} `, jump(chain)), configuration[direction][family]];
}

/**
 * What accepts packets that connection tracking relates to another flow, where the settings want that: flows that its
 * helpers expect, and ICMP errors, but never redirects, which are no errors.
 */
export function acceptRelated(family: Family): readonly string[] {
	return [`${protocolKey} != ${family === 4 ? icmp : icmpv6} ct state related accept`, errors[family]];
}
