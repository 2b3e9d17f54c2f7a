/**
 * Streams: the atoms without a port range, one stream for each layer, scope
 * and protocol. Within a stream the longest prefix decides, so a
 * stream is one interval list. What a packet's narrower atoms carve out of a
 * stream's intervals becomes exemption sets beside it, never a split of it:
 * that is what keeps the size linear.
 *
 * An atom that nothing could carve is in the stream's `hard` part, which needs
 * no exemptions. Carved atoms are spread over tiers such that between two
 * nested ones of one tier no carver fits: so a carver's whole block can be put
 * in the exemption set of a tier without exempting a narrower atom of it.
 */

import type { Action, InterfaceMatch } from "../../../base/model.ts";
import { compareStrictness } from "../../../base/precedence.ts";
import {
	type Address,
	type Atom,
	decidesBefore,
	interfaceContains,
	interfaceDepth,
	interfaceKey,
	type Layer,
} from "./atom.ts";
import { type Inside, insideContains } from "./inside.ts";
import { type Axis, inOrder } from "./interval.ts";
import { longestPrefix, type Part, type Pieces } from "./pieces.ts";
import { type Sender, senderContains } from "./sender.ts";

/** The interfaces and senders that atoms are for, and the suffixes that their addresses are inside of. */
export interface Scope {
	readonly interface: InterfaceMatch | null;
	readonly sender?: Sender;
	readonly inside?: Inside;
}

/** Equal exactly when the scopes are. */
export function scopeKey({ interface: match, sender, inside }: Scope): string {
	// No interface's name has a space.
	const named = sender === undefined ? interfaceKey(match) : `${interfaceKey(match)} ${sender.key}`;
	return inside === undefined ? named : `${named} in ${inside.key}`;
}

function scopeContains(outer: Scope, inner: Scope): boolean {
	return (
		interfaceContains(outer.interface, inner.interface) &&
		senderContains(outer.sender, inner.sender) &&
		insideContains(outer.inside, inner.inside)
	);
}

export interface Stream extends Scope {
	readonly pieces: Pieces;
}

const breadth: Record<Layer, number> = { P: 0, T: 1, W: 2 };

/** Broader atoms before those that they contain. */
function compareBreadth(a: Atom, b: Atom): number {
	if (a.first !== b.first) return a.first < b.first ? -1 : 1;
	return (
		a.length - b.length ||
		breadth[b.layer] - breadth[a.layer] ||
		interfaceDepth(a.interface) - interfaceDepth(b.interface) ||
		(a.sender?.depth ?? 0) - (b.sender?.depth ?? 0) ||
		(a.inside?.suffixes.size ?? 0) - (b.inside?.suffixes.size ?? 0)
	);
}

/**
 * Whether `inner`, known to be strictly inside `outer`, has to keep `outer`
 * from deciding at the level of outer's action. A stricter or equal port-limited
 * atom decides before the streams are asked; an equal one that is named first
 * is asked first.
 */
function carves(inner: Atom, outer: Atom): boolean {
	const order = compareStrictness(inner.rule.action, outer.rule.action);
	return order < 0 || (order === 0 && inner.layer !== "P" && inner.rank > outer.rank);
}

/** Drops atoms whose match space another one has too, and decides. */
export function withoutDuplicates(atoms: readonly Atom[]): readonly Atom[] {
	if (beginApart(atoms)) return atoms;
	// Most addresses begin one block only.
	const byFirst = new Map<Address, Atom | Atom[]>();
	for (const atom of atoms) {
		const others = byFirst.get(atom.first);
		if (others === undefined) byFirst.set(atom.first, atom);
		else if (Array.isArray(others)) others.push(atom);
		else byFirst.set(atom.first, [others, atom]);
	}
	return [...byFirst.values()].flatMap((some) => (Array.isArray(some) ? [...deciding(some)] : some));
}

/** Whether no two begin at one address, as in most lists; sorting numbers costs less than a map of them. */
function beginApart(atoms: readonly Atom[]): boolean {
	const firsts = atoms[0]?.family === 4 ? new Float64Array(atoms.length) : null;
	if (firsts === null) return atoms.length < 2;
	for (let i = 0; i < firsts.length; i++) firsts[i] = Number(atoms[i]?.first);
	firsts.sort();
	for (let i = 1; i < firsts.length; i++) if (firsts[i] === firsts[i - 1]) return false;
	return true;
}

function deciding(atoms: readonly Atom[]): Iterable<Atom> {
	const bySpace = new Map<string, Atom>();
	for (const atom of atoms) {
		const ports = atom.range === null ? "" : `${atom.range.first}-${atom.range.last}`;
		const holes = atom.holes.map((hole) => `${hole.first}-${hole.last}`).join();
		const source = atom.source === null ? "" : `${atom.source.first}-${atom.source.last}`;
		const key = `${scopeKey(atom)} ${atom.protocol} ${source} ${ports} ${atom.first}/${atom.length} ${holes}`;
		const other = bySpace.get(key);
		if (other === undefined || decidesBefore(atom, other)) bySpace.set(key, atom);
	}
	return bySpace.values();
}

/** All streams of one direction and family. `atoms` without duplicates; includes the port-limited ones, as carvers. */
export function buildStreams(atoms: readonly Atom[], axis: Axis): Stream[] {
	const sorted = inOrder(atoms, compareBreadth);
	const byScope = new Map<string, { scope: Scope; at: number[] }>();
	const streams = new Map<string, Atom[]>();
	// Atoms of one list stand together, so most are like the one before.
	let previous: { atom: Atom; at: number[]; members: Atom[] | undefined } | null = null;
	let position = 0;
	for (const atom of sorted) {
		const i = position++;
		if (previous !== null && sameStream(atom, previous.atom)) {
			previous.at.push(i);
			previous.members?.push(atom);
			continue;
		}
		const key = scopeKey(atom);
		const { at } = getOrMake(byScope, key, () => ({ scope: atom, at: [] }));
		at.push(i);
		const name = `${atom.layer}${atom.protocol ?? ""} ${key}`;
		const members = atom.layer === "P" ? undefined : getOrMake(streams, name, (): Atom[] => []);
		members?.push(atom);
		previous = { atom, at, members };
	}
	const parts = new Map<string, Part>();
	return [...streams.values()].map((members) => {
		const [head] = members;
		if (head === undefined) throw new RangeError("a stream without atoms");
		const relevant = members.length === sorted.length ? members : relevantTo(head, sorted, byScope.values());
		const { interface: match, sender, inside: within } = head;
		const scope = {
			interface: match,
			...(sender === undefined ? {} : { sender }),
			...(within === undefined ? {} : { inside: within }),
		};
		return { ...scope, pieces: longestPrefix(members, axis, assign(head, relevant, parts)) };
	});
}

/** The atoms of a stream, of which `head` is the first, and those that could carve them. `sorted` by breadth. */
function relevantTo(
	head: Atom,
	sorted: readonly Atom[],
	scopes: Iterable<{ readonly scope: Scope; readonly at: readonly number[] }>,
): readonly Atom[] {
	const inside = [...scopes].filter(({ scope }) => scopeContains(head, scope));
	const nested = inside.length === 1 ? (inside[0]?.at ?? []) : merged(inside);
	const relevant: Atom[] = [];
	for (const i of nested) {
		const atom = sorted[i];
		if (atom !== undefined && (sameStream(atom, head) || couldCarve(atom, head))) relevant.push(atom);
	}
	return relevant;
}

function merged(lists: readonly { readonly at: readonly number[] }[]): Int32Array {
	return Int32Array.from(lists.flatMap(({ at }) => at)).sort();
}

/** The value of a key, made where there is none. */
function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
	const found = map.get(key) ?? make();
	map.set(key, found);
	return found;
}

function sameStream(a: Atom, b: Atom): boolean {
	return (
		a.layer === b.layer &&
		a.protocol === b.protocol &&
		a.sender?.key === b.sender?.key &&
		a.inside?.key === b.inside?.key &&
		interfaceKey(a.interface) === interfaceKey(b.interface)
	);
}

function couldCarve(atom: Atom, head: Atom): boolean {
	if (head.protocol !== null && atom.protocol !== head.protocol) return false;
	return breadth[atom.layer] <= breadth[head.layer];
}

/** Finds each member's part and gives the parts their carvers. `relevant` is sorted by breadth. */
function assign(head: Atom, relevant: readonly Atom[], parts: Map<string, Part>): (atom: Atom) => Part {
	const part = (action: Action, name: string): Part => {
		const key = `${head.layer} ${scopeKey(head)} ${action} ${name}`;
		return getOrMake(parts, key, () => ({ key, layer: head.layer === "T" ? "T" : "W", carvers: [] }));
	};
	const hard = new Map<Action, Part>();
	const hardPart = ({ rule: { action } }: Atom): Part =>
		hard.get(action) ?? getOrMake(hard, action, () => part(action, "hard"));
	if (relevant.every((atom) => sameStream(atom, head))) return hardPart;
	const soft = new Set<Atom>();
	walk(head, relevant, (atom, outer) => {
		for (const { atom: member } of outer) if (carves(atom, member)) soft.add(member);
	});
	const tiers = new Map<Atom, number>();
	if (soft.size > 0) assignTiers(head, relevant, soft, tiers);
	const found = (atom: Atom): Part => {
		const tier = tiers.get(atom);
		return tier === undefined ? hardPart(atom) : part(atom.rule.action, `tier ${tier}`);
	};
	if (soft.size > 0) {
		walk(head, relevant, (atom, outer) => {
			const seen = new Set<Part>();
			for (const { atom: member } of outer) {
				if (!carves(atom, member)) continue;
				const target = found(member);
				if (!seen.has(target)) target.carvers.push(atom);
				seen.add(target);
			}
		});
	}
	return found;
}

interface Open {
	readonly atom: Atom;
	/** Carvers open inside this member and around the next one; without those inside a milder or equal one of them. */
	inner: Atom[];
}

/** Walks by breadth with a stack of the stream's members that are open; visits each possible carver. */
function walk(
	head: Atom,
	relevant: readonly Atom[],
	visit: (atom: Atom, open: readonly Open[]) => void,
	enter?: (member: Atom, open: readonly Open[]) => void,
): void {
	const open: Open[] = [];
	for (const atom of relevant) {
		for (let top = open.at(-1); top !== undefined && top.atom.last < atom.first; top = open.at(-1))
			open.pop();
		const top = open.at(-1);
		if (top !== undefined) top.inner = top.inner.filter((inner) => inner.last >= atom.first);
		if (sameStream(atom, head)) {
			enter?.(atom, open);
			open.push({ atom, inner: [] });
			continue;
		}
		visit(atom, open);
		const covered = top?.inner.some(
			(inner) => inner.last >= atom.last && compareStrictness(inner.rule.action, atom.rule.action) <= 0,
		);
		if (top !== undefined && covered === false) top.inner.push(atom);
	}
}

/** A carved member's tier is its nearest carved ancestor's of the same action, or the next one when a carver fits between. */
function assignTiers(
	head: Atom,
	relevant: readonly Atom[],
	soft: ReadonlySet<Atom>,
	tiers: Map<Atom, number>,
): void {
	walk(
		head,
		relevant,
		() => {},
		(member, open) => {
			if (!soft.has(member)) return;
			let between = false;
			let tier = 0;
			for (let i = open.length - 1; i >= 0; i--) {
				const outer = open[i];
				if (outer === undefined) break;
				between ||= outer.inner.some(
					(inner) => compareStrictness(inner.rule.action, member.rule.action) <= 0,
				);
				const known = tiers.get(outer.atom);
				if (known === undefined || outer.atom.rule.action !== member.rule.action) continue;
				tier = known + (between ? 1 : 0);
				break;
			}
			tiers.set(member, tier);
		},
	);
}
