/** The flows that a Block has ended, as the sets in our table that refuse their packets. Pure text. */

import type { Direction, Family } from "../../../base/model.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import { endedChain } from "../compile/render/render.ts";

/** One flow that is refused. `remote` is a canonical address of its family. */
export interface CutFlow {
	readonly family: Family;
	readonly remote: string;
	/** IP protocol number, 0..255. */
	readonly protocol: number;
	readonly remotePort: number;
	readonly localPort: number;
	/** Where it is refused; absent: on every interface. */
	readonly interfaces?: readonly string[];
}

/** `everywhere`: remote address, protocol, remote port, local port. `interface`: the same behind an interface's name. */
export type RefusedKind = "everywhere" | "interface";

export interface RefusedSet {
	readonly name: string;
	readonly family: Family;
	readonly kind: RefusedKind;
}

export const refusedSets: readonly RefusedSet[] = [
	{ name: "refused4", family: 4, kind: "everywhere" },
	{ name: "refused6", family: 6, kind: "everywhere" },
	{ name: "refused_if4", family: 4, kind: "interface" },
	{ name: "refused_if6", family: 6, kind: "interface" },
];

/** What earlier versions called theirs; a daemon takes over what they hold. */
export const earlierRefusedSets: readonly RefusedSet[] = [
	{ name: "cut4", family: 4, kind: "everywhere" },
	{ name: "cut6", family: 6, kind: "everywhere" },
];

/** Elements of one set. */
export const refusedSetSize = 65_536;

const directions: readonly Direction[] = ["ingress", "egress"];

/** The sets, empty, and their counters, as they stand inside the table. */
export function refusedObjects(): string {
	const sets = refusedSets.map(({ name, family, kind }) => {
		const type = `${kind === "interface" ? "ifname . " : ""}${family === 4 ? "ipv4_addr" : "ipv6_addr"}`;
		return (
			`\tset ${name} {\n\t\ttype ${type} . inet_proto . inet_service . inet_service\n` +
			`\t\tsize ${refusedSetSize}\n\t}\n`
		);
	});
	const counters = directions.map((direction) => `\tcounter ${refusedCounter(direction)} {\n\t}\n`);
	return [...sets, ...counters].join("");
}

export function refusedCounter(direction: Direction): string {
	return `cut_${direction}`;
}

/**
 * Replaces the refused tuples by `flows`. Packets are held against them only where there are some: every new flow
 * would pay for looking into an empty set.
 */
export function replaceRefused(table: string, flows: readonly CutFlow[]): string {
	const filled = refusedSets.map((set) => ({ set, elements: elementsOf(set, flows) }));
	const sets = filled.map(({ set: { name }, elements }) => {
		const flush = `flush set inet ${table} ${name}\n`;
		if (elements.length === 0) return flush;
		return `${flush}add element inet ${table} ${name} { ${elements.join(", ")} }\n`;
	});
	const used = filled.filter(({ elements }) => elements.length > 0);
	const chains = directions.map((direction) => {
		const chain = `inet ${table} ${endedChain(direction)}`;
		const rules = used.map(({ set }) => `add rule ${chain} ${refusingRule(direction, set)}\n`);
		return `flush chain ${chain}\n${rules.join("")}`;
	});
	return [...sets, ...chains].join("");
}

function elementsOf({ family, kind }: RefusedSet, flows: readonly CutFlow[]): string[] {
	return flows.flatMap((flow) => {
		if (flow.family !== family || (flow.interfaces !== undefined) !== (kind === "interface")) return [];
		const tuple = `${flow.remote} . ${flow.protocol} . ${flow.remotePort} . ${flow.localPort}`;
		if (flow.interfaces === undefined) return [tuple];
		// No rule can name another interface, so no flow is refused on one.
		return flow.interfaces.filter(isPlainInterface).map((name) => `"${name}" . ${tuple}`);
	});
}

function refusingRule(direction: Direction, { name, family, kind }: RefusedSet): string {
	const [side, remote, local, link] =
		direction === "ingress" ? ["saddr", "sport", "dport", "iifname"] : ["daddr", "dport", "sport", "oifname"];
	const address = `${family === 4 ? "ip" : "ip6"} ${side}`;
	const key = `${kind === "interface" ? `${link} . ` : ""}${address} . meta l4proto . th ${remote} . th ${local}`;
	return `${key} @${name} counter name "${refusedCounter(direction)}" drop`;
}
