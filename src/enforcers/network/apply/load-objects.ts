/** Loads what is new of a plan beside what is there. */

import type { Command } from "../../../kernel/nftables/commands.ts";
import { isPlain } from "../../../kernel/nftables/direct.ts";
import type { Outcome } from "../../../kernel/nftables/kernel.ts";
import type { PlanObject } from "../compile/plan.ts";
import { ifOurs, load } from "./transaction.ts";

/** From so many on objects are loaded apart. */
export const manyObjects = 1000;

/** What so many need is well within a socket's send buffer. */
const objectsAtOnce = 200;

/**
 * Nothing refers to the objects yet, so not all need to come at once: where there are very many, those that the kernel
 * takes without libnftables go first.
 *
 * @param run makes one transaction of commands
 * @param prepare what the first transaction begins with
 */
export function loadObjects(
	run: (...commands: readonly Command[]) => Outcome,
	objects: readonly PlanObject[],
	prepare: readonly Command[],
): Outcome {
	const plain: PlanObject[] = [];
	const others: PlanObject[] = [];
	for (const object of objects) (isPlain(object) ? plain : others).push(object);
	if (plain.length < manyObjects) return run(...prepare, load(objects));
	const prepared = run(...prepare);
	if (!prepared.ok) return prepared;
	for (let from = 0; from < plain.length; from += objectsAtOnce) {
		const loaded = run(ifOurs, load(plain.slice(from, from + objectsAtOnce)));
		if (!loaded.ok) return loaded;
	}
	return run(ifOurs, load(others));
}
