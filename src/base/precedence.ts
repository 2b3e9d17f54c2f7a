/**
 * The one rule of precedence, for packets and devices alike: a more specific
 * item carves an exception out of a broader one; where items merely overlap,
 * the strictest wins. It is defined over the items that match one subject, so
 * both enforcers and `explain` can call it.
 */

import type { Action } from "./model.ts";

const strictness: Record<Action, number> = { Allow: 0, Audit: 1, Block: 2 };

/** Negative when `a` is the milder action, 0 when equal, positive when stricter. */
export function compareStrictness(a: Action, b: Action): number {
	return strictness[a] - strictness[b];
}

/** How one kind of item takes part in precedence. */
export interface Order<T> {
	/** Whether everything `inner` can match `outer` matches too, and more: strict set inclusion. */
	strictlyContains(outer: T, inner: T): boolean;
	action(item: T): Action;
	/** Attribution among items of equal action: negative puts `a` first. Total. */
	compare(a: T, b: T): number;
}

/** Why a matching item did not decide. */
export interface Overridden<T> {
	readonly item: T;
	/** `carved`: `by` is more specific. `stricter`: `by` overlaps and is stricter. `same`: equal action, `by` is named first. */
	readonly reason: "carved" | "stricter" | "same";
	readonly by: T;
}

export interface Decision<T> {
	readonly winner: T;
	readonly overridden: readonly Overridden<T>[];
}

/**
 * Decides among `matching`, all the items that match one subject. Null when it
 * is empty. Quadratic in their number, which nesting keeps small in practice.
 */
export function decide<T>(matching: readonly T[], order: Order<T>): Decision<T> | null {
	const overridden: Overridden<T>[] = [];
	const minimal: T[] = [];
	for (const item of matching) {
		const by = matching.find((other) => order.strictlyContains(item, other));
		if (by === undefined) minimal.push(item);
		else overridden.push({ item, reason: "carved", by });
	}
	const [first, ...rest] = minimal.sort(
		(a, b) => compareStrictness(order.action(b), order.action(a)) || order.compare(a, b),
	);
	if (first === undefined) return null;
	for (const item of rest) {
		const reason = order.action(item) === order.action(first) ? "same" : "stricter";
		overridden.push({ item, reason, by: first });
	}
	return { winner: first, overridden };
}
