/**
 * The verdicts of a direction as a function of the whole packet: where they can change, and what they are in between.
 * Of a protocol and an interface, that is a grid of ports and addresses. Most of it does not depend on the port, so
 * the verdicts without any rule for ports are found once, and for each range of ports only where such rules lie.
 */

import type { Action, Family, Protocol } from "../../../../base/model.ts";
import { isIcmp, isTransport, protocolFits } from "../../../../base/protocol.ts";
import { type Address, interfaceMatches } from "../atom.ts";
import type { IntervalList } from "../interval.ts";
import { type DirectionProgram, decideBySteps, findFailsafe, namesOf, sequencesFor } from "../program.ts";
import { type Key, type Segment, type Step, segmentAt, type Table, transports } from "../table.ts";
import {
	before,
	cornersWithin,
	type Interval,
	Overlay,
	type Piece,
	PieceList,
	piecesWithin,
	union,
} from "./verdict-pieces.ts";

/** Inclusive. */
export interface Range {
	readonly first: number;
	readonly last: number;
}

/** Packets whose verdict depends on the address alone. */
export interface Column {
	/** Source ports, or types of ICMP. Null: those that no rule names, or of protocols that have neither. */
	readonly source: Range | null;
	/** Destination ports; 0..65535 for protocols without ports. */
	readonly ports: Range;
	/** In rising order, disjoint, without gaps; neighbours differ. */
	readonly pieces: readonly Piece[];
}

export const allPorts: Range = { first: 0, last: 65_535 };

const greatest: Readonly<Record<Family, Address>> = { 4: 2 ** 32 - 1, 6: (1n << 128n) - 1n };

function* intervalsOf(list: IntervalList): Generator<Interval> {
	for (const [i, first] of list.first.entries()) {
		const last = list.last[i];
		if (last !== undefined) yield { first, last };
	}
}

/** Every table of some steps. */
function tablesOf(steps: readonly Step[]): readonly Table[] {
	return steps.flatMap((step) => [step.table, ...step.exempt]);
}

/** The protocols that programs tell apart, in one order; null for all others. */
export function namedProtocols(programs: readonly DirectionProgram[]): readonly (Protocol | null)[] {
	const named = new Set<Protocol>(transports);
	for (const program of programs) {
		for (const atom of program.atoms) if (atom.protocol !== null) named.add(atom.protocol);
		for (const { match } of program.failsafe) if (match.protocol !== null) named.add(match.protocol);
	}
	return [...[...named].sort((a, b) => String(a).localeCompare(String(b), "en", { numeric: true })), null];
}

/** What one family's packets of one interface meet, in each of the programs. */
export class VerdictSpace {
	readonly #programs: readonly DirectionProgram[];
	readonly #interface: string;
	/** All that it goes by, in whichever of the programs. */
	readonly #names: readonly string[];
	readonly #family: Family;
	readonly #steps: readonly (readonly Step[])[];

	/** `networkInterface`: "" for one that no rule names. */
	constructor(programs: readonly DirectionProgram[], networkInterface: string, family: Family) {
		this.#programs = programs;
		this.#interface = networkInterface;
		this.#names = programs.flatMap((program) => namesOf(program, networkInterface));
		this.#family = family;
		this.#steps = programs.map((program) => sequencesFor(program, networkInterface)[family]);
	}

	/** Two spaces of the same programs with equal identities have the same verdicts. */
	get identity(): readonly unknown[] {
		return [
			...this.#steps,
			...this.#programs.flatMap((program) => {
				const names = namesOf(program, this.#interface);
				return program.failsafe.map(({ match }) => interfaceMatches(match.interface, names));
			}),
		];
	}

	/**
	 * The columns of a protocol whose source is in none, or one, of the ranges that rules name, by rising source and
	 * port, those of unnamed sources first. Each range of sources has columns for all ports. `sources` may cut finer.
	 */
	*columns(protocol: Protocol | null, sources = this.namedSources(protocol)): Generator<Column> {
		if (!protocolFits(protocol, this.#family)) return;
		const tables = this.#steps.flatMap(tablesOf);
		const base = this.#base(protocol, tables);
		const joined = new PieceList(base).pieces;
		for (const source of [null, ...sources]) {
			const layers = this.#portLayers(protocol, source, tables);
			for (const ports of this.#portRanges(protocol, source, layers)) {
				const own = layers.flatMap((segments) => segmentAt(segments, ports.first) ?? []);
				const spans = own.flatMap(({ list }) => [...intervalsOf(list)]);
				spans.push(...this.#failsafeSpans(protocol, source, ports.first));
				const pieces =
					spans.length === 0
						? joined
						: this.#overlaid({ base, joined }, spans, protocol, source, ports.first);
				yield { source, ports, pieces };
			}
		}
	}

	/**
	 * The verdicts where no rule speaks of ports, types or sources. Neighbours may be alike here: with a port, they may
	 * differ, as a rule for it can lie between two others in precedence.
	 */
	#base(protocol: Protocol | null, tables: readonly Table[]): readonly Piece[] {
		const bounds: Interval[] = [];
		for (const table of tables) {
			const list =
				table.layer === "W" ? table.list : table.layer === "T" ? ofProtocol(table, protocol) : undefined;
			if (list !== undefined) bounds.push(...intervalsOf(list));
		}
		bounds.push(...this.#failsafeSpans(protocol, null, noPort));
		const zero: Address = this.#family === 4 ? 0 : 0n;
		const whole = { first: zero, last: greatest[this.#family] };
		return [...this.#evaluate(cornersWithin(whole, bounds), whole.last, protocol, null, noPort)];
	}

	/** Ranges of sources that rules tell from each other, disjoint, in rising order; those between them are alike. */
	namedSources(protocol: Protocol | null): readonly Range[] {
		if (protocol === null) return [];
		const named: Range[] = [];
		for (const table of this.#steps.flatMap(tablesOf)) {
			if (table.layer === "S") named.push(...(table.sources.get(protocol) ?? []));
		}
		for (const { match } of this.#programs.flatMap((program) => program.failsafe)) {
			const type = match.icmpType ?? null;
			if (type !== null && match.protocol === protocol) named.push({ first: type, last: type });
		}
		return cutRanges(named, protocol);
	}

	/** For packets of a source, lists of segments by destination port: one for each table that looks at it. */
	#portLayers(
		protocol: Protocol | null,
		source: Range | null,
		tables: readonly Table[],
	): readonly (readonly Segment[])[] {
		if (protocol === null) return [];
		return tables.flatMap((table) => {
			if (table.layer === "P") return [table.segments.get(protocol) ?? []];
			if (table.layer !== "S" || source === null) return [];
			const found = table.sources
				.get(protocol)
				?.find(({ first, last }) => first <= source.first && source.first <= last);
			return found === undefined ? [] : [found.ports];
		});
	}

	#portRanges(
		protocol: Protocol | null,
		source: Range | null,
		layers: readonly (readonly Segment[])[],
	): readonly Range[] {
		if (!isTransport(protocol)) return [allPorts];
		const named: Range[] = layers.flatMap((segments) => segments.map(({ first, last }) => ({ first, last })));
		for (const { match } of this.#programs.flatMap((program) => program.failsafe)) {
			if (match.port !== null && this.#failsafeFits(match, protocol, source)) named.push(match.port);
		}
		return rangesBetween(named, allPorts.last);
	}

	#failsafeFits(
		match: DirectionProgram["failsafe"][number]["match"],
		protocol: Protocol | null,
		source: Range | null,
	): boolean {
		const type = match.icmpType ?? null;
		return (
			interfaceMatches(match.interface, this.#names) &&
			(match.protocol === null || match.protocol === protocol) &&
			(type === null || type === source?.first) &&
			(match.cidr === null || match.cidr.family === this.#family)
		);
	}

	/** Where failsafe rules accept packets of a port; `noPort` for those that ask for none. */
	#failsafeSpans(protocol: Protocol | null, source: Range | null, port: number): readonly Interval[] {
		const spans: Interval[] = [];
		const top = greatest[this.#family];
		for (const { match } of this.#programs.flatMap((program) => program.failsafe)) {
			if (!this.#failsafeFits(match, protocol, source)) continue;
			if (match.port !== null && !(match.port.first <= port && port <= match.port.last)) continue;
			if (match.cidr === null) spans.push({ first: typeof top === "bigint" ? 0n : 0, last: top });
			else {
				const size = 1n << BigInt((this.#family === 4 ? 32 : 128) - match.cidr.prefix);
				const [first, last] = [match.cidr.base, match.cidr.base + size - 1n];
				spans.push(typeof top === "bigint" ? { first, last } : { first: Number(first), last: Number(last) });
			}
		}
		return spans;
	}

	/** The base, but asked anew within the spans: the rest of it is taken as it is, which is most of many columns. */
	#overlaid(
		{ base, joined }: { readonly base: readonly Piece[]; readonly joined: readonly Piece[] },
		spans: readonly Interval[],
		protocol: Protocol | null,
		source: Range | null,
		port: number,
	): readonly Piece[] {
		const result = new Overlay(joined);
		for (const { first, last, members } of union(spans)) {
			result.takeUntil(first);
			const bounds = [...members, ...piecesWithin(base, { first, last })];
			for (const piece of this.#evaluate(
				cornersWithin({ first, last }, bounds),
				last,
				protocol,
				source,
				port,
			))
				result.put(piece);
		}
		return result.finish();
	}

	*#evaluate(
		corners: readonly Address[],
		last: Address,
		protocol: Protocol | null,
		source: Range | null,
		port: number,
	): Generator<Piece> {
		for (const [i, first] of corners.entries()) {
			const next = corners[i + 1];
			const key: Key = { address: first, protocol, source: source?.first ?? null, port };
			const actions = this.#programs.map((program, index) =>
				this.#action(program, this.#steps[index] ?? [], key),
			);
			yield { first, last: next === undefined ? last : before(next), actions };
		}
	}

	#action(program: DirectionProgram, steps: readonly Step[], key: Key): Action {
		const packet = { ...key, family: this.#family, address: BigInt(key.address), interface: this.#interface };
		return findFailsafe(program, packet) === null ? decideBySteps(program, steps, key).action : "Allow";
	}
}

/** What some ranges of sources hold, in disjoint ranges that lie wholly in or out of each of them. */
export function cutRanges(ranges: readonly Range[], protocol: Protocol | null): readonly Range[] {
	const most = isIcmp(protocol) ? 255 : allPorts.last;
	const held = (value: number) => ranges.some(({ first, last }) => first <= value && value <= last);
	return rangesBetween(ranges, most).filter(({ first }) => held(first));
}

/** No port is this one, so that no rule for ports matches. */
const noPort = -1;

function ofProtocol(
	table: Extract<Table, { layer: "T" }>,
	protocol: Protocol | null,
): IntervalList | undefined {
	return protocol === null ? undefined : table.lists.get(protocol);
}

/** 0..most, cut where one of the ranges begins or ends. */
function rangesBetween(ranges: readonly Range[], most: number): readonly Range[] {
	const starts = new Set([0]);
	for (const { first, last } of ranges) {
		starts.add(first);
		if (last < most) starts.add(last + 1);
	}
	const sorted = [...starts].sort((a, b) => a - b);
	return sorted.map((first, i) => ({ first, last: (sorted[i + 1] ?? most + 1) - 1 }));
}
