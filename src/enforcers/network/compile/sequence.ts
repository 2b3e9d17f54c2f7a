/**
 * The sequence of lookups that decides a packet of one direction, interface
 * group and family. Level by level, strictest action first: a packet is
 * decided at a level exactly when an atom of that action is among those that
 * no matching atom carves.
 *
 * Port-limited atoms are never carved by broader layers, so the level begins
 * with the cells that the action wins among them alone: first those of atoms
 * that name a source port or an ICMP type, then the others'. The streams
 * follow, asked in the order of attribution, each behind its exemption sets.
 */

import type { Action, InterfaceMatch, Protocol } from "../../../base/model.ts";
import { type Atom, interfaceContains } from "./atom.ts";
import { type Axis, IntervalBuilder, type IntervalList, joinedLists, sweep, union } from "./interval.ts";
import type { Part, Piece } from "./pieces.ts";
import { portSet, portTable } from "./ports.ts";
import { type SenderKey, senderMatches } from "./sender.ts";
import { carvedCells, divideLimited, type Limited, sourceSet, sourceTable } from "./sources.ts";
import type { Scope, Stream } from "./stream.ts";
import { kindHolds, type SuffixKind } from "./suffixes.ts";
import { isEmpty, mergeDisjoint, type Step, size, type Table } from "./table.ts";

const levels: readonly Action[] = ["Block", "Audit", "Allow"];

/** Tables that several groups may share stay as they are above this size; joining them would make copies. */
const joinShared = 1000;

/** Whose packets a sequence is for: of a group's interfaces, of one kind of senders, and of addresses of one kind. */
export interface SequenceScope {
	/** What the group's interface is: atoms and streams that hold any of these take part. */
	readonly within: readonly (InterfaceMatch | null)[];
	readonly sender: SenderKey;
	readonly suffixes: SuffixKind;
}

/** Whether packets of the scope may meet what is for another one. */
export function takesPart({ within, sender, suffixes }: SequenceScope, item: Scope): boolean {
	return (
		kindHolds(suffixes, item.inside) &&
		senderMatches(item.sender, sender) &&
		within.some((match) => interfaceContains(item.interface, match))
	);
}

/**
 * @param portLimited the atoms that name ports
 * @param alone Whether this is the only group.
 */
export function buildSequence(
	scope: SequenceScope,
	portLimited: readonly Atom[],
	streams: readonly Stream[],
	axis: Axis,
	alone: boolean,
): Step[] {
	const joinUpTo = alone ? Number.POSITIVE_INFINITY : joinShared;
	const member = (item: Scope) => takesPart(scope, item);
	const limited = divideLimited(portLimited.filter(member));
	const own = streams.filter(member);
	const steps: Step[] = [];
	let ports = new Set<Action>();
	const askPorts = () => {
		append(steps, portStep(limited, axis, ports), joinUpTo);
		ports = new Set();
	};
	for (const action of levels) {
		const named = sourceTable(limited, axis, action);
		if (!isEmpty(named)) {
			// What is stricter has to be asked before, where both can match one packet.
			if (meets(named, limited.plain, ports)) askPorts();
			append(steps, { exempt: [], table: named }, joinUpTo);
		}
		ports.add(action);
		const slots = buildSlots(joinedLists(own.map(({ pieces }) => pieces.get(action) ?? [])), axis);
		const open = slots.filter((slot) => !isEmpty(slot.table));
		if (open.length === 0 && action !== "Allow") continue;
		askPorts();
		for (const { part, table } of open) {
			append(steps, { exempt: exemptions(part.carvers.filter(member), axis), table }, joinUpTo);
		}
	}
	return steps;
}

/** Whether an atom of one of `actions` is of a protocol that the table knows. */
function meets(table: Table, atoms: readonly Atom[], actions: ReadonlySet<Action>): boolean {
	if (table.layer !== "S") return true;
	return atoms.some(
		({ protocol, rule }) => protocol !== null && table.sources.has(protocol) && actions.has(rule.action),
	);
}

/** What `actions` decide among the atoms that name destination ports alone. */
function portStep(limited: Limited, axis: Axis, actions: ReadonlySet<Action>): Step {
	const table = portTable(limited.plain, axis, actions);
	const carved = carvedCells(limited, axis, actions);
	return { exempt: isEmpty(carved) ? [] : [carved], table };
}

/** Adds a step, joined with the one before where that changes nothing. */
function append(steps: Step[], step: Step, joinUpTo: number): void {
	if (isEmpty(step.table)) return;
	const previous = steps.at(-1);
	const free = previous !== undefined && previous.exempt.length === 0 && step.exempt.length === 0;
	if (free && size(previous.table) + size(step.table) <= joinUpTo) {
		const table = mergeDisjoint(previous.table, step.table);
		if (table !== null) {
			steps[steps.length - 1] = { exempt: [], table };
			return;
		}
	}
	steps.push(step);
}

function exemptions(carvers: readonly Atom[], axis: Axis): Table[] {
	const blocks: Atom[] = [];
	const byProtocol = new Map<Protocol, Atom[]>();
	const limited: Atom[] = [];
	for (const atom of carvers) {
		if (atom.layer === "P") limited.push(atom);
		else if (atom.protocol === null) blocks.push(atom);
		else {
			const own = byProtocol.get(atom.protocol) ?? [];
			byProtocol.set(atom.protocol, own);
			own.push(atom);
		}
	}
	const { named, plain } = divideLimited(limited);
	const lists = new Map<Protocol, IntervalList>();
	for (const protocol of [...byProtocol.keys()].sort()) {
		const list = union(axis.spans(byProtocol.get(protocol) ?? []), axis);
		if (list.first.length > 0) lists.set(protocol, list);
	}
	const tables: Table[] = [
		{ layer: "W", list: union(axis.spans(blocks), axis) },
		{ layer: "T", lists },
		portSet(plain, axis),
		sourceSet(named, axis),
	];
	return tables.filter((table) => !isEmpty(table));
}

/** Pieces of the same parts and protocols, in one order. */
interface Pattern {
	readonly pieces: readonly Piece[];
	/** Where each of them is put. */
	builders: readonly IntervalBuilder[];
}

function sameKinds(a: readonly Piece[], b: readonly Piece[]): boolean {
	if (a.length !== b.length) return false;
	for (let i = 0; i < a.length; i++) {
		if (a[i]?.part !== b[i]?.part || a[i]?.atom.protocol !== b[i]?.atom.protocol) return false;
	}
	return true;
}

interface Slot {
	readonly part: Part;
	readonly table: Table;
}

/**
 * Orders the pieces of one level so that of two that cover one packet the one
 * named first is asked first. A part has one slot, unless the order differs
 * from place to place.
 */
function buildSlots(all: readonly Piece[], axis: Axis): Slot[] {
	// In columns: a list may have hundreds of thousands.
	const [froms, tos, found]: [number[], number[], Pattern[]] = [[], [], []];
	const ranks: (number | readonly number[])[] = [];
	const patterns = new Map<string, Pattern>();
	let latest: Pattern | null = null;
	sweep(all, (from, to, active) => {
		froms.push(from);
		tos.push(to);
		const only = active.length === 1 ? active[0] : undefined;
		// Neighbours are alike more often than not.
		if (only !== undefined && latest?.pieces.length === 1) {
			const head = latest.pieces[0];
			if (head?.part === only.part && head.atom.protocol === only.atom.protocol) {
				found.push(latest);
				ranks.push(only.atom.rank);
				return;
			}
		}
		const pieces = [...active];
		if (pieces.length > 1) pieces.sort((a, b) => a.atom.rank - b.atom.rank);
		if (latest === null || !sameKinds(latest.pieces, pieces)) {
			const key = pieces.map(({ part, atom }) => `${part.key} ${atom.protocol}`).join("|");
			latest = patterns.get(key) ?? { pieces, builders: [] };
			patterns.set(key, latest);
		}
		found.push(latest);
		ranks.push(pieces.map(({ atom }) => atom.rank));
	});
	const slots: Part[] = [];
	const builders: Map<Protocol | null, IntervalBuilder>[] = [];
	for (const pattern of [...patterns.values()].sort((a, b) => b.pieces.length - a.pieces.length)) {
		const places = placePieces(pattern.pieces, slots);
		pattern.builders = places.map((place, i) => {
			builders[place] ??= new Map();
			const { protocol } = pattern.pieces[i]?.atom ?? { protocol: null };
			const builder = builders[place].get(protocol) ?? new IntervalBuilder(axis);
			builders[place].set(protocol, builder);
			return builder;
		});
	}
	for (let i = 0; i < ranks.length; i++) {
		const own = found[i]?.builders ?? [];
		const from = froms[i] ?? 0;
		const to = tos[i] ?? 0;
		const rank = ranks[i] ?? [];
		if (typeof rank === "number") own[0]?.add(from, to, rank);
		else for (const [place, one] of rank.entries()) own[place]?.add(from, to, one);
	}
	return slots.map((part, i) => {
		const lists = builders[i];
		if (part.layer === "W") {
			return { part, table: { layer: "W", list: (lists?.get(null) ?? new IntervalBuilder(axis)).list } };
		}
		const named = new Map<Protocol, IntervalList>();
		for (const [protocol, { list }] of [...(lists ?? [])].sort(([a], [b]) =>
			String(a) < String(b) ? -1 : 1,
		)) {
			if (protocol !== null) named.set(protocol, list);
		}
		return { part, table: { layer: "T", lists: named } };
	});
}

/** Finds, or adds, a slot for each piece, after those of the pieces before it that can cover the same packet. */
function placePieces(pieces: readonly Piece[], slots: Part[]): number[] {
	const places: number[] = [];
	for (const [i, piece] of pieces.entries()) {
		let after = -1;
		for (const [j, place] of places.entries()) {
			const other = pieces[j];
			const apart =
				j < i &&
				piece.atom.protocol !== null &&
				other?.atom.protocol !== null &&
				other?.atom.protocol !== piece.atom.protocol;
			if (!apart) after = Math.max(after, place);
		}
		let place = slots.findIndex((part, at) => at > after && part === piece.part);
		if (place < 0) place = slots.push(piece.part) - 1;
		places.push(place);
	}
	return places;
}
