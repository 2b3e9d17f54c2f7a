/** Sentences about a change that is pending. Pure. */

import type { PendingState } from "../../report/status.ts";

/** Why the change that is asked about is not the one that is pending, or null. `asked` null: whichever is. */
export function wrongChange(pending: { readonly id: string } | null, asked: string | null): string | null {
	if (pending === null) return "no change is pending";
	return asked === null || asked === pending.id ? null : `change ${pending.id} is pending, not ${asked}`;
}

/** What is pending, or null. */
export function describePending(state: PendingState | null): string | null {
	if (state === null) return null;
	const { id, from, secondsLeft } = state;
	return `change ${id} (${from}) is pending for ${secondsLeft} s more; confirm it or roll it back first`;
}
