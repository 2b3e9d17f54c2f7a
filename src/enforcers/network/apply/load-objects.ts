/** Loads what is new of a plan beside what is there. */

import type { Command } from "../../../kernel/nftables/commands.ts";
import { isPlain } from "../../../kernel/nftables/direct.ts";
import type { Outcome } from "../../../kernel/nftables/kernel.ts";
import { elementCount } from "../../../kernel/nftables/objects.ts";
import type { PlanObject } from "../compile/plan.ts";
import { ifOurs, load } from "./transaction.ts";

/** From so many objects and elements on what is plain is loaded apart. */
export const manyObjects = 1000;

/** What so many objects and elements need is well within a socket's send buffer of the usual size. */
const usualAtOnce = 200;
/** More bytes than one of them needs. */
const bytesEach = 1024;
/** Every transaction has the kernel look at all chains of the table, so there should be few. */
const mostAtOnce = 8 * 1024;

/**
 * Nothing refers to the objects yet, so not all need to come at once: where there are very many, those that the kernel
 * takes without libnftables go first.
 *
 * @param run makes one transaction of commands
 * @param prepare what the first transaction begins with
 * @param room bytes that a transaction without libnftables may have; 0 where it is not known
 */
export function loadObjects(
	run: (...commands: readonly Command[]) => Outcome,
	objects: readonly PlanObject[],
	prepare: readonly Command[],
	room = 0,
): Outcome {
	const sizes = objects.map((object) => 1 + elementCount(object));
	if (sizes.reduce((sum, size) => sum + size, 0) < manyObjects) return run(...prepare, load(objects));
	// libnftables lists the whole table, so it comes before there is much in it.
	const first = new Set(objects.filter((object) => !isPlain(object) && standsAlone(object)));
	const prepared = run(...prepare, ...(first.size === 0 ? [] : [load([...first])]));
	if (!prepared.ok) return prepared;
	const atOnce = Math.min(mostAtOnce, Math.max(usualAtOnce, Math.floor(room / bytesEach)));
	// What names an object that is not there yet has to wait for it.
	const waiting = new Set<string>();
	const others: PlanObject[] = [];
	let part: PlanObject[] = [];
	let size = 0;
	const flush = (): Outcome => {
		const loaded: Outcome = part.length === 0 ? { ok: true } : run(ifOurs, load(part));
		part = [];
		size = 0;
		return loaded;
	};
	for (const [i, object] of objects.entries()) {
		if (first.has(object)) continue;
		if (!isPlain(object) || names(object).some((name) => waiting.has(name))) {
			waiting.add(object.name);
			others.push(object);
			continue;
		}
		const own = sizes[i] ?? 1;
		if (size + own > atOnce) {
			const loaded = flush();
			if (!loaded.ok) return loaded;
		}
		part.push(object);
		size += own;
	}
	const loaded = flush();
	return loaded.ok && others.length > 0 ? run(ifOurs, load(others)) : loaded;
}

/** Whether an object needs none that may have to be loaded before it. */
function standsAlone(object: PlanObject): boolean {
	if (object.kind !== "chain") return false;
	return object.rules.every((rule) => typeof rule === "string" && !/(?:counter|quota) name/u.test(rule));
}

/** The objects that one leads to. */
function names(object: PlanObject): readonly string[] {
	if (object.kind === "chain")
		return object.rules.flatMap((rule) =>
			typeof rule === "string" ? [] : rule.filter((_, i) => i % 2 === 1),
		);
	return object.kind === "map"
		? object.values.flatMap((value) => ("chain" in value ? [value.chain] : []))
		: [];
}
