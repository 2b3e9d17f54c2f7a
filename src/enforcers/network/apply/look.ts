/** Whose table of a name it is: ours, somebody else's, or nobody's. */

import type { NftKernel } from "../../../kernel/nftables/kernel.ts";
import { type BaseName, ownershipMarker } from "../names.ts";
import { misplaced, presentBases } from "./base-chains.ts";
import { addMarker, hasOurChains, isEmpty } from "./transaction.ts";

export type TableState = "absent" | "ours" | "foreign";

/** Whose table it is, and which base chains of ours it has, some with another priority than they must have. */
export type Looked =
	| {
			readonly ok: true;
			readonly state: TableState;
			readonly misplaced: readonly BaseName[];
			readonly bases: readonly BaseName[];
			/** The kernel's number of a table that is ours. */
			readonly handle?: number | null;
	  }
	| { readonly ok: false; readonly error: string };

/**
 * Where somebody took our marker away it is put back: the table is known by its number, by our other chains, or by being
 * an empty one in the place of ours.
 * @param handle of the table that was ours when we looked last; null where none was
 * @param enforcing whether a plan of ours was in force
 */
export function lookAt(kernel: NftKernel, table: string, handle: number | null, enforcing: boolean): Looked {
	const listed = kernel.list(table);
	if (!listed.ok) return listed;
	const { listing } = listed;
	if (listing === null) return { ok: true, state: "absent", misplaced: [], bases: [] };
	const now = listing.handle ?? null;
	const places = { misplaced: misplaced(listing), bases: presentBases(listing) };
	if (!listing.chains.includes(ownershipMarker)) {
		const same = now !== null && now === handle;
		const replaced = enforcing && isEmpty(listing);
		if (!same && !replaced && !hasOurChains(listing)) return { ok: true, state: "foreign", ...places };
		const marked = kernel.run(table, [addMarker]);
		if (!marked.ok) return { ok: false, error: marked.error };
	}
	return { ok: true, state: "ours", handle: now, ...places };
}
