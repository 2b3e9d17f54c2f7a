/**
 * A list of which the first rule that matches decides, as a model: what another firewall says can be held against
 * policies, by the same questions.
 */

import { addressBits } from "../../../../base/cidr.ts";
import type { Cidr, Direction, Family, InterfaceMatch, PortRange, Protocol } from "../../../../base/model.ts";
import { isTransport } from "../../../../base/protocol.ts";
import { type Atom, interfaceContains, interfaceKey } from "../atom.ts";
import type { Sequences } from "../groups.ts";
import type { IntervalList } from "../interval.ts";
import type { CompiledRule } from "../plan.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import {
	mergeSegments,
	mergeSources,
	type Segment,
	type SourceSegment,
	type Step,
	type Table,
} from "../table.ts";
import { type Interval, union } from "./verdict-pieces.ts";
import { allPorts, cutRanges, type Range } from "./verdict-space.ts";

export interface FirstMatchRule {
	readonly cidr: Cidr;
	readonly protocol: Protocol | null;
	readonly ports: PortRange | null;
	/** Source ports, or types of ICMP. */
	readonly source: PortRange | null;
	readonly interface: InterfaceMatch | null;
	readonly accepts: boolean;
}

export type FirstMatchList = Readonly<Record<Direction, readonly FirstMatchRule[]>>;

/** Packets that no rule matches pass. */
export function firstMatchModel(list: FirstMatchList): NetworkModel {
	return { ingress: programOf(list.ingress, "ingress"), egress: programOf(list.egress, "egress") };
}

/** The ranks of the two rules that a list has. */
const rank = { accept: 0, drop: 1 } as const;

function programOf(list: readonly FirstMatchRule[], direction: Direction): DirectionProgram {
	const rules = [ruleOf(direction, "Allow"), ruleOf(direction, "Block")];
	const matches = new Map(
		list.flatMap(({ interface: match }) => (match === null ? [] : [[interfaceKey(match), match]])),
	);
	const group = (match: InterfaceMatch) => ({ name: match.name, sequences: sequencesOf(list, match) });
	const named = [...matches.values()];
	return {
		rules,
		atoms: list.flatMap((rule) => atomsOf(rule, rules)),
		literals: named.filter(({ prefix }) => !prefix).map(group),
		prefixes: named
			.filter(({ prefix }) => prefix)
			.sort((a, b) => b.name.length - a.name.length)
			.map(group),
		others: sequencesOf(list, null),
		members: [],
		vrfOf: new Map(),
		allowlistMode: false,
		failsafe: [],
		posture: null,
	};
}

function ruleOf(direction: Direction, action: "Allow" | "Block"): CompiledRule {
	const text = { severity: 1, tags: [], message: "", place: null, counter: "", logCounter: null };
	return { id: action, policy: "FirstMatch", index: 0, direction, action, ...text };
}

function boundsOf({ family, base, prefix }: Cidr): Interval {
	const last = base + (1n << BigInt(addressBits(family) - prefix)) - 1n;
	return family === 4 ? { first: Number(base), last: Number(last) } : { first: base, last };
}

/** What tells which protocols the list knows. */
function atomsOf(rule: FirstMatchRule, rules: readonly CompiledRule[]): Atom[] {
	const at = rule.accepts ? rank.accept : rank.drop;
	const compiled = rules[at];
	if (compiled === undefined) return [];
	const { cidr, protocol, ports, source, interface: match } = rule;
	const { family, prefix } = cidr;
	const layer = layerOf(rule) === "S" ? "P" : (layerOf(rule) as Atom["layer"]);
	const block = { family, length: prefix, ...boundsOf(cidr), holes: [] };
	return [{ rank: at, rule: compiled, interface: match, protocol, range: ports, source, layer, ...block }];
}

function layerOf({ protocol, ports, source }: FirstMatchRule): Table["layer"] {
	if (protocol === null) return "W";
	return source !== null ? "S" : ports !== null ? "P" : "T";
}

function sequencesOf(list: readonly FirstMatchRule[], match: InterfaceMatch | null): Sequences {
	const own = list.filter((rule) => interfaceContains(rule.interface, match));
	return { 4: stepsOf(own, 4), 6: stepsOf(own, 6) };
}

/** In a run of rules that say the same the order means nothing: it is one step for each kind of table. */
function stepsOf(list: readonly FirstMatchRule[], family: Family): readonly Step[] {
	const runs: FirstMatchRule[][] = [];
	for (const rule of list) {
		if (rule.cidr.family !== family) continue;
		const run = runs.at(-1);
		if (run?.[0]?.accepts === rule.accepts) run.push(rule);
		else runs.push([rule]);
	}
	return runs.flatMap((run) => {
		const at = run[0]?.accepts ? rank.accept : rank.drop;
		const byLayer = Map.groupBy(run, layerOf);
		return [...byLayer].map(([layer, rules]) => ({ exempt: [], table: tableOf(layer, rules, at) }));
	});
}

function tableOf(layer: Table["layer"], rules: readonly FirstMatchRule[], at: number): Table {
	if (layer === "W") return { layer, list: listOf(rules, at) };
	const byProtocol = new Map<Protocol, FirstMatchRule[]>();
	for (const rule of rules) {
		if (rule.protocol === null) continue;
		const known = byProtocol.get(rule.protocol);
		if (known === undefined) byProtocol.set(rule.protocol, [rule]);
		else known.push(rule);
	}
	const each = <T>(make: (own: readonly FirstMatchRule[], protocol: Protocol) => T): Map<Protocol, T> =>
		new Map([...byProtocol].map(([protocol, own]) => [protocol, make(own, protocol)]));
	if (layer === "T") return { layer, lists: each((own) => listOf(own, at)) };
	if (layer === "P") return { layer, segments: each((own, protocol) => segmentsOf(own, protocol, at)) };
	return { layer, sources: each((own, protocol) => sourcesOf(own, protocol, at)) };
}

function listOf(rules: readonly FirstMatchRule[], at: number): IntervalList {
	const joined = union(rules.map(({ cidr }) => boundsOf(cidr)));
	return {
		first: joined.map(({ first }) => first),
		last: joined.map(({ last }) => last),
		rank: joined.map(() => at),
	};
}

const within = ({ first, last }: Range, range: PortRange | null) =>
	range === null || (range.first <= first && last <= range.last);

function segmentsOf(rules: readonly FirstMatchRule[], protocol: Protocol, at: number): readonly Segment[] {
	const ranges = cutRanges(
		rules.map(({ ports }) => ports ?? allPorts),
		isTransport(protocol) ? protocol : null,
	);
	return mergeSegments(
		ranges.map((range) => ({
			...range,
			list: listOf(
				rules.filter(({ ports }) => within(range, ports)),
				at,
			),
		})),
	);
}

function sourcesOf(
	rules: readonly FirstMatchRule[],
	protocol: Protocol,
	at: number,
): readonly SourceSegment[] {
	const ranges = cutRanges(
		rules.flatMap(({ source }) => source ?? []),
		protocol,
	);
	return mergeSources(
		ranges.map((range) => ({
			...range,
			ports: segmentsOf(
				rules.filter(({ source }) => within(range, source)),
				protocol,
				at,
			),
		})),
	);
}
