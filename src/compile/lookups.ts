/** Tables as nftables maps and sets, and the rules that look them up, in both ruleset forms. */

import type { Direction, Family, Transport } from "../policy/model.ts";
import { intervalText, portsText } from "./address-text.ts";
import { boxesOf } from "./boxes.ts";
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
	/** The chain of the rule with this rank. */
	leaf(rank: number): string;
	/** Called for every element, for the accounting of cost; rank -1 in sets. */
	count(rank: number): void;
}

function addressKey({ family, direction }: LookupContext): string {
	return `${family === 4 ? "ip" : "ip6"} ${direction === "ingress" ? "saddr" : "daddr"}`;
}

function declare(
	context: LookupContext,
	key: string,
	elements: readonly (readonly [string, number])[],
): string {
	const verdicts = elements.some(([, rank]) => rank >= 0);
	const lines = [`type ${key}${verdicts ? " : verdict" : ""}`, "flags interval", "elements = {"];
	for (const [text, rank] of elements) {
		context.count(rank);
		lines.push(rank < 0 ? `\t${text},` : `\t${text} : goto ${context.leaf(rank)},`);
	}
	const last = lines.pop();
	if (last !== undefined) lines.push(last.replace(/,$/, ""));
	lines.push("}");
	return context.store.add(verdicts ? "map" : "set", lines, elements.length);
}

function listElements(list: IntervalList): (readonly [string, number])[] {
	return list.first.map((first, i) => {
		const last = list.last[i];
		const rank = list.rank[i];
		if (last === undefined || rank === undefined) throw new RangeError("interval list");
		return [intervalText(first, last), rank] as const;
	});
}

function addressType(context: LookupContext): string {
	return context.family === 4 ? "ipv4_addr" : "ipv6_addr";
}

/** A plain interval map or set, and the expression that looks it up: `ip saddr vmap @m` or `ip saddr @s return`. */
function plain(context: LookupContext, list: IntervalList, use: "vmap" | "return"): string {
	const name = declare(context, addressType(context), listElements(list));
	return expression(addressKey(context), name, use);
}

function expression(key: string, name: string, use: "vmap" | "return"): string {
	return use === "vmap" ? `${key} vmap @${name}` : `${key} @${name} return`;
}

/** The rules that look a table up; for a P table, `use` return is only for the concatenated form. */
function concatenated(context: LookupContext, table: Table, use: "vmap" | "return"): string[] {
	if (table.layer === "W") return [plain(context, table.list, use)];
	const elements: (readonly [string, number])[] = [];
	if (table.layer === "T") {
		for (const [protocol, list] of table.lists) {
			for (const [text, rank] of listElements(list))
				elements.push([`${text} . ${protocolNumbers[protocol]}`, rank]);
		}
		const name = declare(context, `${addressType(context)} . inet_proto`, elements);
		return [expression(`${addressKey(context)} . meta l4proto`, name, use)];
	}
	for (const [protocol, segments] of table.segments) {
		for (const box of boxesOf(segments)) {
			const ports = portsText(box.firstPort, box.lastPort);
			const addresses = intervalText(box.first, box.last);
			elements.push([`${addresses} . ${protocolNumbers[protocol]} . ${ports}`, box.rank]);
		}
	}
	const name = declare(context, `${addressType(context)} . inet_proto . inet_service`, elements);
	return [expression(`${addressKey(context)} . meta l4proto . th dport`, name, use)];
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

function nested(context: LookupContext, table: Table, use: "vmap" | "return"): string[] {
	if (table.layer === "W") return [plain(context, table.list, use)];
	if (table.layer === "T") {
		return [...table.lists].map(
			([protocol, list]) => `meta l4proto ${protocolNumbers[protocol]} ${plain(context, list, use)}`,
		);
	}
	return portDispatch(context, table, "jump", (_protocol, list) => [plain(context, list, use)]);
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
			plain(context, list, "return"),
			...rules.filter((_rule, i) => appliesTo(step.table, protocol, i)),
		];
		chain.push(...portDispatch(context, table, "goto", body));
	}
	chain.push(...rules);
	return [`jump ${context.store.add("chain", chain)}`];
}

/** Whether the nested form's i-th rule of a table can match packets of a protocol. */
function appliesTo(table: Table, protocol: Transport, i: number): boolean {
	return table.layer !== "T" || [...table.lists.keys()][i] === protocol;
}
