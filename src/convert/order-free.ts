/**
 * An ordered list as pieces without an order. Here the more specific rule wins, and of rules that merely overlap the
 * strictest. So a rule that an earlier one hides is left out; what an earlier accept shares with a later drop is said
 * once more as an accept of its own, which is narrower than the drop; and drops that nothing after them would accept are
 * left to the default. Then the narrowest pieces say of everything what the first rule that matches says.
 */

import type { Place } from "../base/diagnostic.ts";
import { orderedLimits, TooInvolved } from "./limits.ts";

/** One element of the list: `set` is what it decides about, unless an earlier one did. */
export interface Ordered<T> {
	readonly set: T;
	readonly accepts: boolean;
	readonly place: Place;
	readonly text: string;
}

/** What two sets have in common has to be such a set again, or nothing. */
export interface Algebra<T> {
	readonly holds: (outer: T, inner: T) => boolean;
	readonly shared: (a: T, b: T) => T | null;
}

export interface OrderFree<T> {
	readonly pieces: readonly Piece<T>[];
	/** Rules of the source none of whose packets or devices come to them. */
	readonly hidden: readonly { readonly rule: Ordered<T>; readonly by: Ordered<T> }[];
	/** Rules that say what holds without them. */
	readonly needless: readonly Ordered<T>[];
}

export interface Piece<T> {
	readonly set: T;
	readonly accepts: boolean;
	readonly origin: Ordered<T>;
}

/**
 * The same verdicts as the list, which has to decide about everything. Where there is an accept among the pieces, what
 * none of them holds is dropped.
 */
export function withoutOrder<T>(list: readonly Ordered<T>[], algebra: Algebra<T>): OrderFree<T> {
	const { seen, hidden } = withoutHidden(list, algebra);
	// Those that a later rule of the other kind meets.
	const needed = new Set(
		seen.filter((rule, at) =>
			seen.slice(at + 1).some((other) => other.accepts !== rule.accepts && meet(other, rule, algebra)),
		),
	);
	// Where no accept stands before a drop that it meets, the drops alone say everything.
	const dropsAlone = seen.every((rule) => !rule.accepts || !needed.has(rule));
	const pieces = dropsAlone ? onlyDrops(seen, algebra) : withCarved(seen, needed, algebra);
	const origins = new Set(pieces.map(({ origin }) => nameOf(origin)));
	const needless = new Map(
		seen.filter((rule) => !origins.has(nameOf(rule))).map((rule) => [nameOf(rule), rule]),
	);
	return { pieces, hidden, needless: [...needless.values()] };
}

function meet<T>(a: Ordered<T>, b: Ordered<T>, { shared }: Algebra<T>): boolean {
	return shared(a.set, b.set) !== null;
}

/** Elements of one name are of one rule of the source. */
export function nameOf({ place, text }: Pick<Ordered<unknown>, "place" | "text">): string {
	return `${place.file}:${place.line}:${place.column} ${text}`;
}

function withoutHidden<T>(list: readonly Ordered<T>[], { holds }: Algebra<T>) {
	const seen: Ordered<T>[] = [];
	const told = new Set<string>();
	const by = new Map<string, { rule: Ordered<T>; by: Ordered<T> }>();
	for (const rule of list) {
		const hiding = seen.find(({ set }) => holds(set, rule.set));
		if (hiding === undefined) {
			seen.push(rule);
			told.add(nameOf(rule));
		} else if (!by.has(nameOf(rule))) by.set(nameOf(rule), { rule, by: hiding });
	}
	return { seen, hidden: [...by].flatMap(([name, pair]) => (told.has(name) ? [] : [pair])) };
}

function onlyDrops<T>(seen: readonly Ordered<T>[], { holds }: Algebra<T>): readonly Piece<T>[] {
	const drops = seen.filter(({ accepts }) => !accepts);
	return drops
		.filter(({ set }, at) => !drops.slice(at + 1).some((later) => holds(later.set, set)))
		.map((rule) => ({ set: rule.set, accepts: false, origin: rule }));
}

/**
 * Accepts, the drops that an accept after them meets, and of an accept and such a drop after it what both hold. The
 * posture does the other drops. An accept that a later one says as well, without a drop in between, adds nothing.
 */
function withCarved<T>(
	seen: readonly Ordered<T>[],
	needed: ReadonlySet<Ordered<T>>,
	algebra: Algebra<T>,
): readonly Piece<T>[] {
	const pieces: Piece<T>[] = [];
	for (const [at, rule] of seen.entries()) {
		const { set, accepts } = rule;
		const later = seen.slice(at + 1);
		if (!accepts) {
			if (needed.has(rule) && !saidLater(rule, later, algebra)) pieces.push({ set, accepts, origin: rule });
			continue;
		}
		const drops = later.filter((other) => !other.accepts && needed.has(other) && meet(other, rule, algebra));
		if (drops.length === 0 && later.some((other) => other.accepts && algebra.holds(other.set, set))) continue;
		pieces.push({ set, accepts, origin: rule }, ...carved(rule, drops, seen.slice(0, at), algebra));
		if (pieces.length > orderedLimits.pieces)
			throw new TooInvolved("accepts and drops overlap so much that the rules would be too many");
	}
	return pieces;
}

/** Whether a wider drop follows, with no accept before it that takes some of the set. */
function saidLater<T>(drop: Ordered<T>, later: readonly Ordered<T>[], algebra: Algebra<T>): boolean {
	for (const other of later) {
		if (other.accepts && meet(other, drop, algebra)) return false;
		if (!other.accepts && algebra.holds(other.set, drop.set)) return true;
	}
	return false;
}

function carved<T>(
	allow: Ordered<T>,
	drops: readonly Ordered<T>[],
	earlier: readonly Ordered<T>[],
	{ holds, shared }: Algebra<T>,
): readonly Piece<T>[] {
	const found: T[] = [];
	for (const drop of drops) {
		const set = shared(allow.set, drop.set);
		if (set === null || holds(set, allow.set)) continue;
		const known = found.some((one) => holds(one, set) && holds(set, one));
		if (!known && !earlier.some((one) => holds(one.set, set))) found.push(set);
	}
	return found.map((set) => ({ set, accepts: true, origin: allow }));
}
