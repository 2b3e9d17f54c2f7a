/** Tables as nftables maps and sets, and the rules that look them up, in both ruleset forms. */

import { addressBits } from "../policy/cidr.ts";
import type { Direction, Family, Transport } from "../policy/model.ts";
import { addressText, intervalText, maskText, portsText } from "./address-text.ts";
import { boxesOf } from "./boxes.ts";
import { type Cell, hashable } from "./hashable.ts";
import type { IntervalList } from "./interval.ts";
import type { ObjectStore } from "./objects.ts";
import type { RulesetForm } from "./plan.ts";
import type { Step, Table } from "./table.ts";

/** Numbers, because nft looks some names up in /etc/protocols, which a minimal system does not have. */
const protocolNumbers: Readonly<Record<Transport, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** What the lookups of one direction and family are rendered with. */
export interface LookupContext {
	readonly store: ObjectStore;
	readonly form: RulesetForm;
	readonly family: Family;
	readonly direction: Direction;
	/** Cells from which on blocks of one length go into a hash table. */
	readonly hashFrom: number;
	/** The chain of the rule with this rank. */
	leaf(rank: number): string;
	/** The counter and the comment of a rule that accepts without a word; null for others, and for rank -1. */
	silent(rank: number): { readonly counter: string; readonly comment: string } | null;
	/** Called for every element, for the accounting of cost; rank -1 in sets. */
	count(rank: number): void;
}

function addressKey({ family, direction }: LookupContext): string {
	return `${family === 4 ? "ip" : "ip6"} ${direction === "ingress" ? "saddr" : "daddr"}`;
}

function addressType(context: LookupContext): string {
	return context.family === 4 ? "ipv4_addr" : "ipv6_addr";
}

type Use = "vmap" | "return";

function expression(key: string, name: string, use: Use): string {
	return use === "vmap" ? `${key} vmap @${name}` : `${key} @${name} return`;
}

/** A map, or a set where no element leads anywhere; `property` is the line below its type. */
function declare(
	context: LookupContext,
	type: string,
	property: string,
	elements: readonly (readonly [string, number])[],
): string {
	const verdicts = elements.some(([, rank]) => rank >= 0);
	const lines = [`type ${type}${verdicts ? " : verdict" : ""}`, property, "elements = {"];
	for (const [text, rank] of elements) {
		context.count(rank);
		lines.push(rank < 0 ? `\t${text},` : `\t${text} : goto ${context.leaf(rank)},`);
	}
	const last = lines.pop();
	if (last !== undefined) lines.push(last.replace(/,$/, ""));
	lines.push("}");
	return context.store.add(verdicts ? "map" : "set", lines, elements.length);
}

/** The parts of a key behind the address, as types and as what is read from the packet. */
const keyTails: Readonly<Record<Table["layer"], readonly [type: string, read: string]>> = {
	W: ["", ""],
	T: [" . inet_proto", " . meta l4proto"],
	P: [" . inet_proto . inet_service", " . meta l4proto . th dport"],
};

/** The rules that look these cells up. The cells are disjoint, so the order of the lookups means nothing. */
function lookUp(context: LookupContext, layer: Table["layer"], cells: readonly Cell[], use: Use): string[] {
	const [tail, read] = keyTails[layer];
	const type = addressType(context) + tail;
	// A set of addresses alone is a tree: its lookups grow with the logarithm, and it loads as fast as it can.
	const { blocks, rest } =
		layer === "W"
			? { blocks: [], rest: cells }
			: hashable(cells, context.hashFrom, (rank) => context.silent(rank) !== null);
	const rules = blocks.map((block) => {
		const mask =
			block.length === addressBits(context.family) ? "" : ` & ${maskText(context.family, block.length)}`;
		const key = `${addressKey(context)}${mask}${read}`;
		// A set of a given size that never grows gets the kernel's cheapest hash table.
		const size = `size ${block.cells.length}`;
		if (block.silent)
			return `counter name ${key} map @${counterMap(context, type, size, block.cells)} accept`;
		const elements = block.cells.map((cell) => [addressText(cell.first) + cell.tail, cell.rank] as const);
		return expression(key, declare(context, type, size, elements), use);
	});
	if (rest.length === 0) return rules;
	const elements = rest.map((cell) => [intervalText(cell.first, cell.last) + cell.tail, cell.rank] as const);
	const name = declare(context, type, "flags interval", elements);
	return [...rules, expression(addressKey(context) + read, name, use)];
}

/**
 * Silently accepted cells with their counters: one lookup counts and accepts, where a verdict map would send every
 * packet through a chain of its rule's own, whose memory is seldom in the cache when there are thousands.
 */
function counterMap(context: LookupContext, type: string, size: string, cells: readonly Cell[]): string {
	const elements = cells.map((cell) => {
		context.count(cell.rank);
		const leaf = context.silent(cell.rank);
		if (leaf === null) throw new RangeError("a rule that is not silent");
		return `\t${addressText(cell.first)}${cell.tail} comment "${leaf.comment}" : "${leaf.counter}"`;
	});
	const lines = [`type ${type} : counter`, size, "elements = {", ...elements.map((text) => `${text},`), "}"];
	const last = lines.length - 2;
	lines[last] = (lines[last] ?? "").replace(/,$/, "");
	return context.store.add("map", lines, elements.length);
}

function listCells(list: IntervalList, tail: string): Cell[] {
	return list.first.map((first, i) => {
		const last = list.last[i];
		const rank = list.rank[i];
		if (last === undefined || rank === undefined) throw new RangeError("interval list");
		return { first, last, rank, tail, exact: true };
	});
}

/** Lookups of the address alone. */
function plain(context: LookupContext, list: IntervalList, use: Use): string[] {
	return lookUp(context, "W", listCells(list, ""), use);
}

/** The rules that look a table up in maps whose keys are concatenations. */
function concatenated(context: LookupContext, table: Table, use: Use): string[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") {
		const cells = [...table.lists].flatMap(([protocol, list]) =>
			listCells(list, ` . ${protocolNumbers[protocol]}`),
		);
		return lookUp(context, "T", cells, use);
	}
	const cells = [...table.segments].flatMap(([protocol, segments]) =>
		boxesOf(segments).map(({ first, last, rank, firstPort, lastPort }) => ({
			first,
			last,
			rank,
			tail: ` . ${protocolNumbers[protocol]} . ${portsText(firstPort, lastPort)}`,
			exact: firstPort === lastPort,
		})),
	);
	return lookUp(context, "P", cells, use);
}

/** Port map to a chain per segment: for kernels without interval sets of concatenations. */
function portDispatch(
	context: LookupContext,
	table: Table & { readonly layer: "P" },
	verdict: "jump" | "goto",
	body: (protocol: Transport, list: IntervalList) => string[],
): string[] {
	const rules: string[] = [];
	for (const [protocol, segments] of table.segments) {
		const lines = ["type inet_service : verdict", "flags interval", "elements = {"];
		for (const [i, { first, last, list }] of segments.entries()) {
			const chain = context.store.add("chain", body(protocol, list));
			const comma = i + 1 < segments.length ? "," : "";
			context.count(-1);
			lines.push(`\t${portsText(first, last)} : ${verdict} ${chain}${comma}`);
		}
		lines.push("}");
		rules.push(`${protocol} dport vmap @${context.store.add("map", lines, segments.length)}`);
	}
	return rules;
}

function nested(context: LookupContext, table: Table, use: Use): string[] {
	if (table.layer === "W") return plain(context, table.list, use);
	if (table.layer === "T") {
		return [...table.lists].flatMap(([protocol, list]) =>
			plain(context, list, use).map((rule) => `meta l4proto ${protocolNumbers[protocol]} ${rule}`),
		);
	}
	return portDispatch(context, table, "jump", (_protocol, list) => plain(context, list, use));
}

/** The rules of one step of a sequence. They decide the packet or let it go on. */
export function stepRules(context: LookupContext, step: Step): string[] {
	const lookup = context.form === "concatenated" ? concatenated : nested;
	const rules = lookup(context, step.table, "vmap");
	if (step.exempt.length === 0) return rules;
	const chain: string[] = [];
	for (const table of step.exempt) {
		if (table.layer !== "P" || context.form === "concatenated") {
			chain.push(...lookup(context, table, "return"));
			continue;
		}
		// goto: the end of the segment's chain returns to where this chain was jumped to from.
		const body = (protocol: Transport, list: IntervalList) => [
			...plain(context, list, "return"),
			...nested(context, onlyOf(step.table, protocol), "vmap"),
		];
		chain.push(...portDispatch(context, table, "goto", body));
	}
	chain.push(...rules);
	return [`jump ${context.store.add("chain", chain)}`];
}

/** What of a table can match packets of a protocol. */
function onlyOf(table: Table, protocol: Transport): Table {
	if (table.layer !== "T") return table;
	return { layer: "T", lists: new Map([...table.lists].filter(([named]) => named === protocol)) };
}
