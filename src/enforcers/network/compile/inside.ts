/** Of which suffixes the addresses of atoms are: a field of their scope beside interface and sender. */

import type { Suffix } from "../../../base/suffix.ts";

/** The suffixes of which all of an atom's addresses are: its own, and those around it. */
export interface Inside {
	/** Equal exactly when the suffixes are. */
	readonly key: string;
	readonly suffixes: ReadonlySet<Suffix>;
}

/** Whether what is inside of `inner` is all inside of `outer`, too, as far as suffixes go. */
export function insideContains(outer: Inside | undefined, inner: Inside | undefined): boolean {
	if (outer === undefined || outer === inner) return true;
	return inner !== undefined && outer.suffixes.isSubsetOf(inner.suffixes);
}
