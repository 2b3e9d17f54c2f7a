/** One rule of nftables: what its expressions match, as far as it has a counterpart, and what it does. */

import type { Place } from "../../base/diagnostic.ts";
import type { Direction, Family, PortRange, Transport } from "../../base/model.ts";
import { icmp, icmpv6 } from "../../base/protocol.ts";
import { fieldOf } from "../json-value.ts";
import { orderedLimits, TooInvolved } from "../limits.ts";
import type { ChainRule, Target } from "../ordered.ts";
import { everything, type PacketSet, setsOf, shared } from "../packets.ts";
import { meaningOfStates, type Reading, stateNotes } from "../reading.ts";
import {
	blocksOfMember,
	eachOf,
	familyOfMember,
	interfaceOfMember,
	membersOf,
	type NamedSets,
	portsOfMember,
	protocolOfMember,
	typesOfMember,
} from "./values.ts";

export interface NftContext {
	readonly direction: Direction;
	readonly families: readonly Family[];
	readonly sets: NamedSets;
	readonly reading: Reading;
}

export interface NftRule {
	readonly place: Place;
	readonly text: string;
	readonly expressions: readonly unknown[];
}

/** The rules that it is: a verdict map is one for each of its elements. */
export function readNftRule(rule: NftRule, context: NftContext): readonly ChainRule[] {
	const found: ChainRule[] = [];
	const draft = new Draft(context);
	let told = false;
	for (const expression of rule.expressions) {
		const vmap = fieldOf(expression, "vmap");
		if (vmap !== undefined) {
			const pairs = pairsOf(fieldOf(vmap, "data"), context.sets);
			told = true;
			if (pairs === null) context.reading.lost(rule.place, `a map that is not listed: ${rule.text}`);
			for (const [value, verdict] of pairs ?? []) {
				const own = draft.copy();
				own.compare(fieldOf(vmap, "key"), "==", value);
				found.push(...finish(rule, own, verdict, context.reading));
			}
			// What the map does not hold goes on with the next expression.
			continue;
		}
		const match = fieldOf(expression, "match");
		if (match !== undefined)
			draft.compare(fieldOf(match, "left"), fieldOf(match, "op"), fieldOf(match, "right"));
		else if (targetOf(expression) !== null)
			return [...found, ...finish(rule, draft, expression, context.reading)];
		else draft.statement(expression, rule.place);
	}
	if (!told) {
		if (draft.unknown.length > 0)
			context.reading.lost(rule.place, `${draft.unknown.join(", ")}: ${rule.text}`);
		else context.reading.same(rule.place, `decides nothing: ${rule.text}`);
	}
	return found;
}

function pairsOf(data: unknown, sets: NamedSets): readonly (readonly [unknown, unknown])[] | null {
	const members = membersOf(data, sets);
	if (members === null) return null;
	return members.flatMap((pair) =>
		Array.isArray(pair) && pair.length === 2 ? [[pair[0], pair[1]] as const] : [],
	);
}

function targetOf(expression: unknown): Target | null {
	if (fieldOf(expression, "accept") !== undefined) return { kind: "accept" };
	if (fieldOf(expression, "drop") !== undefined || fieldOf(expression, "reject") !== undefined)
		return { kind: "drop" };
	if (fieldOf(expression, "return") !== undefined) return { kind: "return" };
	for (const word of ["jump", "goto"] as const) {
		const chain = fieldOf(fieldOf(expression, word), "target");
		if (typeof chain === "string") return { kind: "jump", chain, comesBack: word === "jump" };
	}
	return null;
}

function finish(rule: NftRule, draft: Draft, expression: unknown, reading: Reading): readonly ChainRule[] {
	const { place, text } = rule;
	const target = targetOf(expression);
	if (fieldOf(expression, "continue") !== undefined) return [];
	if (target === null) {
		reading.lost(place, `its verdict is none that policies have: ${text}`);
		return [];
	}
	const verdict = target.kind === "accept" || target.kind === "drop" ? target.kind : "other";
	if (draft.never) {
		reading.same(place, `no packet of its direction has such an interface: ${text}`);
		return [];
	}
	if (draft.loopback) {
		if (verdict === "drop") reading.lost(place, "loopback is always accepted, and cannot be refused");
		else reading.same(place, `loopback is always accepted: ${text}`);
		return [];
	}
	if (draft.states !== null) {
		const { names, negated } = draft.states;
		const meaning = meaningOfStates(names, negated, verdict);
		if (meaning === "same") {
			if (names.includes("related")) reading.changed(place, stateNotes.related);
			reading.same(place, `open connections pass, and invalid packets do not: ${text}`);
		} else if (meaning === "other")
			reading.lost(place, `the states ${names.join()}: policies decide about new connections alone`);
		if (meaning !== "new") return [];
	}
	if (draft.unknown.length > 0) {
		const then = verdict === "accept" ? "accepted" : verdict === "drop" ? "refused" : "passed on";
		const what = draft.unknown.join(", ");
		reading.lost(
			place,
			`${what}: the rule is left out; what it ${then} is judged by the rules after it: ${text}`,
		);
		return [];
	}
	if (fieldOf(expression, "reject") !== undefined) reading.changed(place, `reject: ${stateNotes.reject}`);
	return [{ place, text, match: draft.match, unless: draft.unless, target }];
}

const transports: readonly Transport[] = ["tcp", "udp", "sctp"];

/** Statements that neither match nor decide. */
const idle: ReadonlySet<string> = new Set(["counter", "comment"]);

class Draft {
	match: readonly PacketSet[];
	unless: readonly PacketSet[] = [];
	readonly unknown: string[] = [];
	loopback = false;
	never = false;
	states: { readonly names: readonly string[]; readonly negated: boolean } | null = null;
	readonly #context: NftContext;

	constructor(context: NftContext) {
		this.#context = context;
		this.match = everything(context.families);
	}

	copy(): Draft {
		const copy = new Draft(this.#context);
		copy.match = this.match;
		copy.unless = this.unless;
		copy.unknown.push(...this.unknown);
		copy.loopback = this.loopback;
		copy.never = this.never;
		copy.states = this.states;
		return copy;
	}

	statement(expression: unknown, place: Place): void {
		const [name = "?"] = typeof expression === "object" && expression !== null ? Object.keys(expression) : [];
		if (name === "log") this.#context.reading.changed(place, `log: ${stateNotes.log}`);
		else if (!idle.has(name)) this.unknown.push(name);
	}

	/** One comparison; what policies cannot say goes to `unknown`. */
	compare(left: unknown, operator: unknown, right: unknown): void {
		const payload = fieldOf(left, "payload");
		const protocol = fieldOf(payload, "protocol");
		const field = fieldOf(payload, "field");
		const meta = fieldOf(left, "meta") === undefined ? undefined : fieldOf(fieldOf(left, "meta"), "key");
		const ct = fieldOf(fieldOf(left, "ct"), "key");
		const name =
			typeof field === "string" ? `${String(protocol)} ${field}` : `${String(meta ?? ct ?? "expression")}`;
		const members = membersOf(right, this.#context.sets);
		const negated = operator === "!=";
		const done = (): boolean => {
			if (ct === "state") return this.#state(members, operator);
			if (meta === "iif" || meta === "iifname" || meta === "oif" || meta === "oifname")
				return this.#link(meta, members, operator);
			if (operator !== "==" && !negated && !/^(?:tcp|udp|sctp|th) [sd]port$/u.test(name)) return false;
			const sets = this.#setsOf(name, members, operator, right);
			if (sets === null) return false;
			this.#narrow(sets.about);
			if (negated) this.unless = [...this.unless, ...sets.equal];
			else this.#narrow(sets.equal);
			return true;
		};
		if (!done()) this.unknown.push(`${name} ${String(operator)} ${JSON.stringify(right)}`);
	}

	/** What has the field at all, and what has it with one of the values. */
	#setsOf(name: string, members: readonly unknown[] | null, operator: unknown, right: unknown) {
		const { direction, families } = this.#context;
		const none = { blocks: null, entries: null, interfaces: null };
		const side = direction === "ingress" ? "saddr" : "daddr";
		if (name === `ip ${side}` || name === `ip6 ${side}`) {
			const own: readonly Family[] = families.filter((family) => family === (name.startsWith("ip ") ? 4 : 6));
			const blocks = eachOf(members, blocksOfMember);
			if (blocks === null) return null;
			return { about: everything(own), equal: setsOf({ ...none, blocks }, own) };
		}
		const [, header, end] = /^(tcp|udp|sctp|th) ([sd])port$/u.exec(name) ?? [];
		if (header !== undefined) {
			const about = transports.filter((one) => header === "th" || one === header);
			const entries: { protocol: Transport; ports: PortRange | null; source: PortRange | null }[] = [];
			for (const protocol of about) {
				const ranges =
					rangeByOperator(operator, right) ?? eachOf(members, (one) => portsOfMember(one, protocol));
				if (ranges === null) return null;
				for (const range of ranges)
					entries.push({ protocol, ports: end === "d" ? range : null, source: end === "s" ? range : null });
			}
			const all = about.map((protocol) => ({ protocol, ports: null, source: null }));
			return {
				about: setsOf({ ...none, entries: all }, families),
				equal: setsOf({ ...none, entries }, families),
			};
		}
		if (name === "icmp type" || name === "icmpv6 type") {
			const family = name === "icmp type" ? 4 : 6;
			const protocol = family === 4 ? icmp : icmpv6;
			const types = eachOf(members, (member) => typesOfMember(member, family));
			if (types === null) return null;
			const about = setsOf({ ...none, entries: [{ protocol, ports: null, source: null }] }, families);
			const entries = types.map((source) => ({ protocol, ports: null, source }));
			return { about, equal: setsOf({ ...none, entries }, families) };
		}
		if (name === "l4proto" || name === "ip protocol" || name === "ip6 nexthdr") {
			const own = families.filter(
				(family) => name === "l4proto" || family === (name === "ip protocol" ? 4 : 6),
			);
			const protocols = eachOf(members, protocolOfMember);
			if (protocols === null) return null;
			const entries = protocols.map((protocol) => ({ protocol, ports: null, source: null }));
			return { about: everything(own), equal: setsOf({ ...none, entries }, own) };
		}
		if (name === "nfproto" || name === "protocol") {
			const named = eachOf(members, familyOfMember);
			return named === null
				? null
				: { about: everything(families), equal: everything(families.filter((one) => named.includes(one))) };
		}
		return null;
	}

	#narrow(sets: readonly PacketSet[]): void {
		if (this.match.length * sets.length > orderedLimits.looks)
			throw new TooInvolved("a rule has more combinations than are followed");
		this.match = this.match.flatMap((one) => sets.flatMap((other) => shared(one, other) ?? []));
		if (this.match.length > orderedLimits.rules)
			throw new TooInvolved("a rule has more combinations than are followed");
	}

	#state(members: readonly unknown[] | null, operator: unknown): boolean {
		if (members === null || this.states !== null) return false;
		const names = members.flatMap((member) =>
			Array.isArray(member) ? member.map(String) : [String(member)],
		);
		this.states = { names, negated: operator === "!=" };
		return true;
	}

	#link(meta: "iif" | "iifname" | "oif" | "oifname", members: readonly unknown[] | null, operator: unknown) {
		const links = eachOf(members, interfaceOfMember);
		if (links === null || (operator !== "==" && operator !== "!=")) return false;
		const own = meta.startsWith(this.#context.direction === "ingress" ? "iif" : "oif");
		const negated = operator === "!=";
		const others = links.filter(({ name, prefix }) => prefix || name !== "lo");
		if (!own) this.never ||= !negated;
		else if (others.length === 0) this.loopback ||= !negated;
		else {
			const sets = setsOf({ blocks: null, entries: null, interfaces: others }, this.#context.families);
			if (negated) this.unless = [...this.unless, ...sets];
			else this.#narrow(sets);
		}
		return true;
	}
}

/** The ports of a comparison such as `> 1023`; null for equality. */
function rangeByOperator(operator: unknown, right: unknown): readonly PortRange[] | null {
	if (typeof right !== "number" || !Number.isInteger(right) || right < 0 || right > 65_535) return null;
	const between = (first: number, last: number) => (first <= last ? [{ first, last }] : []);
	if (operator === "<") return between(1, right - 1);
	if (operator === "<=") return between(1, right);
	if (operator === ">") return between(right + 1, 65_535);
	return operator === ">=" ? between(Math.max(right, 1), 65_535) : null;
}
