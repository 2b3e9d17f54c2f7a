/** Who asks for many ports, or many hosts, looks for what is there. That it was let through makes no service of it. */

import { formatAddress, formatCidr, maskBase } from "../../../../base/cidr.ts";
import type { SeenFlow } from "../seen-flow.ts";
import { blockText } from "./candidate.ts";

/** So many ports of one host that one other asks for are a scan; so many hosts behind this one as well. */
const scanPorts = 10;
const scanHosts = 10;
/** So many neighbours that are asked for one port are a sweep. */
const sweepHosts = 16;
/** What this host or a guest opens more often than that belongs to its work. */
const rarely = 3;

/** The block in which a sweep's targets lie. */
const neighbourhood = { 4: 24, 6: 64 } as const;

/** Who opened the flow: the remote end, this host, or a guest. */
function openerOf({ direction, remote, guest }: SeenFlow): string {
	if (direction === "ingress") return blockText(remote);
	return guest === null ? "this host" : `guest ${formatAddress(guest.family, guest.value)}`;
}

/** The flows that are part of a scan, each with the reason in words. All flows count, whatever became of them. */
export function findScans(flows: readonly SeenFlow[]): ReadonlyMap<SeenFlow, string> {
	const found = new Map<SeenFlow, string>();
	const withPorts = flows.filter(({ port }) => port !== null);
	const mark = (
		groups: ReadonlyMap<string, readonly SeenFlow[]>,
		what: (flow: SeenFlow) => string,
		limit: number,
		reason: (opener: string, count: number, first: SeenFlow) => string,
	) => {
		for (const group of groups.values()) {
			const count = new Set(group.map(what)).size;
			const [first] = group;
			if (count < limit || first === undefined) continue;
			const text = reason(openerOf(first), count, first);
			for (const flow of group) if (!found.has(flow)) found.set(flow, text);
		}
	};
	const port = ({ protocol, port: number }: SeenFlow) => `${protocol} ${number}`;
	const incoming = withPorts.filter(({ direction }) => direction === "ingress");
	mark(
		Map.groupBy(incoming, openerOf),
		port,
		scanPorts,
		(opener, count) => `part of a scan: ${opener} asked for ${count} ports`,
	);
	mark(
		Map.groupBy(
			incoming.filter(({ guest }) => guest !== null),
			(flow) => `${openerOf(flow)} ${port(flow)}`,
		),
		({ guest }) => (guest === null ? "" : formatAddress(guest.family, guest.value)),
		scanHosts,
		(opener, count, flow) => `part of a scan: ${opener} asked ${count} guests for ${port(flow)}`,
	);
	const outgoing = withPorts.filter(({ direction, count }) => direction === "egress" && count <= rarely);
	mark(
		Map.groupBy(outgoing, (flow) => `${openerOf(flow)} ${blockText(flow.remote)}`),
		port,
		scanPorts,
		(opener, count, { remote }) =>
			`part of a scan: ${opener} asked ${blockText(remote)} for ${count} ports, each ${rarely} times at most`,
	);
	mark(
		Map.groupBy(outgoing, (flow) => `${openerOf(flow)} ${port(flow)} ${neighbourhoodOf(flow)}`),
		({ remote }) => blockText(remote),
		sweepHosts,
		(opener, count, flow) =>
			`part of a sweep: ${opener} asked ${count} addresses of ${neighbourhoodOf(flow)} for ${port(flow)}, each ${rarely} times at most`,
	);
	return found;
}

function neighbourhoodOf({ remote: { family, base, prefix } }: SeenFlow): string {
	const wide = Math.min(prefix, neighbourhood[family]);
	return formatCidr({ family, base: maskBase(base, family, wide), prefix: wide });
}
