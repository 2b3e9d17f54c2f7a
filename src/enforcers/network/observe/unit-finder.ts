/** Finds the control groups of the units that rules name, and remembers what the last look saw. */

import { findUnits, hierarchyRoot } from "../../../kernel/senders/control-groups.ts";
import type { KnownUnits } from "../compile/named.ts";
import { serviceLevels } from "../compile/render/senders.ts";

/** What the last look saw. */
export interface UnitsSeen extends KnownUnits {
	/** Directories whose changes are those of units. */
	readonly slices: readonly string[];
}

export class UnitFinder {
	readonly #root: () => string | null;
	#seen: UnitsSeen = { units: {}, slices: [], names: [], hierarchy: true };

	/** @param root where the hierarchy is mounted; null where it is not. Asked at each look. */
	constructor(root: () => string | null = hierarchyRoot) {
		this.#root = root;
	}

	get seen(): UnitsSeen {
		return this.#seen;
	}

	/** @param wanted whole names of units */
	find(wanted: ReadonlySet<string>): ReadonlyMap<string, readonly bigint[]> {
		const root = this.#root();
		const found = root === null ? null : findUnits(wanted, serviceLevels, root);
		this.#seen = {
			units: Object.fromEntries([...wanted].map((name) => [name, found?.units.get(name)?.length ?? 0])),
			slices: found?.slices ?? [],
			names: found?.names ?? [],
			hierarchy: root !== null,
		};
		return found?.units ?? new Map();
	}
}
