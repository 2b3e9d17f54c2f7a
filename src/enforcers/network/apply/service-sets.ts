/** The sets by which the ruleset tells units apart, filled with the control groups that they have now. */

import { addElements, type Command, flush } from "../../../kernel/nftables/commands.ts";
import type { Outcome } from "../../../kernel/nftables/kernel.ts";
import type { NetworkPlan, ServiceSet } from "../compile/plan.ts";
import { mostControlGroups } from "../compile/render/senders.ts";

/** The numbers of the control groups of these units; a unit that is not there may be missing. */
export type FindControlGroups = (units: ReadonlySet<string>) => ReadonlyMap<string, readonly bigint[]>;

export const noControlGroups: FindControlGroups = () => new Map();

/** All sets of a plan, of what is staged too. */
export function serviceSetsOf({
	services,
	staged,
}: Pick<NetworkPlan, "services" | "staged">): readonly ServiceSet[] {
	const sets = [...(services?.sets ?? []), ...(staged?.services?.sets ?? [])];
	return [...new Map(sets.map((set) => [set.set, set])).values()];
}

/** The units that a plan tells apart. */
export function unitsOf(plan: Pick<NetworkPlan, "services" | "staged">): ReadonlySet<string> {
	return new Set(serviceSetsOf(plan).flatMap(({ units }) => units));
}

/** Numbers of one message: libnftables, to which a longer one would be left, takes none at all. */
const mostAtOnce = 1000;

/**
 * Replaces what the sets hold, in one transaction. The kernel takes numbers of groups that have gone since, and gives
 * none a second time.
 */
export function fillServices(
	sets: readonly ServiceSet[],
	found: ReadonlyMap<string, readonly bigint[]>,
): readonly Command[] {
	return sets.flatMap(({ set, units }) => {
		const numbers = [
			...new Set(units.flatMap((unit) => (found.get(unit) ?? []).slice(0, mostControlGroups))),
		].map(String);
		const commands = [flush("set", set)];
		for (let from = 0; from < numbers.length; from += mostAtOnce)
			commands.push(addElements(set, numbers.slice(from, from + mostAtOnce)));
		return commands;
	});
}

/** Keeps the sets of what is in force filled. */
export class UnitSets {
	readonly #find: FindControlGroups;
	readonly #run: (...commands: readonly Command[]) => Outcome;
	#filled: readonly Command[] = [];

	/** @param run makes one transaction on the table */
	constructor(find: FindControlGroups, run: (...commands: readonly Command[]) => Outcome) {
		this.#find = find;
		this.#run = run;
	}

	/** @param anew also where nothing changed since the last time: somebody else may have changed the sets. */
	fill(plan: Pick<NetworkPlan, "services" | "staged">, anew = false): Outcome {
		const sets = serviceSetsOf(plan);
		if (sets.length === 0) return { ok: true };
		const commands = fillServices(sets, this.#find(unitsOf(plan)));
		if (!anew && Bun.deepEquals(commands, this.#filled)) return { ok: true };
		const result = this.#run(...commands);
		this.#filled = result.ok ? commands : [];
		return result;
	}
}
