/**
 * What a host must be able to receive and send whatever the policies say:
 * neighbour and router discovery, multicast listeners, address configuration,
 * and the errors that path-MTU discovery and connections rely on.
 */

import type { Direction, Family } from "../policy/model.ts";
import type { ObjectStore } from "./objects.ts";

/** Neighbour and router discovery never crosses a router, which hop limit 255 proves (RFC 4861 section 7.1). */
const discovery =
	"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } ip6 hoplimit 255 accept";

/** RFC 2710 section 3 and RFC 3810 section 5: link-local source and hop limit 1; reports also before an address is confirmed. */
const listeners = [
	"icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 saddr fe80::/10 ip6 hoplimit 1 accept",
	"icmpv6 type { mld-listener-report, mld2-listener-report } ip6 saddr :: ip6 hoplimit 1 accept",
];

/** RFC 4890 section 4.3.1. */
const errors6 =
	"icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept";

/** RFC 1122 section 3.2.2 and RFC 1191. */
const errors4 = "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept";

/** RFC 2131 section 4.1 and RFC 8415 section 7.2. */
const configuration: Readonly<Record<Direction, Readonly<Record<Family, string>>>> = {
	ingress: {
		4: "udp sport 67 udp dport 68 accept",
		6: "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
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
export function addEssentials(store: ObjectStore, direction: Direction, family: Family): readonly string[] {
	const icmp = store.add("chain", family === 4 ? [errors4] : [discovery, ...listeners, errors6]);
	// As a number: nft looks names up in /etc/protocols, which a minimal system does not have.
	const protocol = family === 4 ? 1 : 58;
	return [`meta l4proto ${protocol} jump ${icmp}`, configuration[direction][family]];
}
