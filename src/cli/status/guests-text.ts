/** The guests of a host in the status for people. */

import * as v from "valibot";
import {
	describeBridge,
	describeForwarded,
	describePublished,
} from "../../enforcers/network/report/guests-status.ts";

const publishedShape = v.object({
	protocol: v.picklist(["tcp", "udp", "sctp"]),
	family: v.picklist([4, 6]),
	address: v.string(),
	port: v.number(),
	guest: v.object({ address: v.string(), port: v.number() }),
	bridge: v.nullable(v.string()),
	by: v.string(),
	hook: v.picklist(["forward", "input"]),
	reachable: v.nullable(
		v.array(v.object({ interface: v.nullable(v.string()), addresses: v.array(v.string()) })),
	),
	closedBy: v.array(v.string()),
});

/** `enforcers.network.guests` of /v1/status. */
export const guestsShape = v.object({
	forwarded: v.picklist(["off", "audit", "enforce"]),
	wouldHaveBlocked: v.nullable(v.number()),
	known: v.boolean(),
	bridges: v.array(v.object({ name: v.string(), subnets: v.array(v.string()), ports: v.number() })),
	uplinks: v.array(v.object({ name: v.string(), reason: v.string() })),
	published: v.array(publishedShape),
	more: v.number(),
	unjudged: v.array(v.string()),
});

/** Published ports that are told; the document has all. */
const mostPublished = 50;

/** What is not judged stands among the warnings. */
export function guestLines(guests: v.InferOutput<typeof guestsShape>): string[] {
	const { bridges, uplinks, published, more, forwarded } = guests;
	const rest = Math.max(0, published.length - mostPublished) + more;
	return [
		`guests: ${describeForwarded(guests)}`,
		...bridges.map((bridge) => `    bridge ${describeBridge(bridge)}`),
		...uplinks.map(({ name, reason }) => `    ${name} leads to other hosts: ${reason}`),
		...published.slice(0, mostPublished).map((port) => `    published ${describePublished(port, forwarded)}`),
		...(rest > 0 ? [`    and ${rest} more published ports`] : []),
	];
}
