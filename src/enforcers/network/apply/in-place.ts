/**
 * A plan that differs from the one in force in the elements of large sets alone, such as the list of a group of which a
 * hundredth changed: those elements are changed where they are, in one transaction, and nothing else is touched. Objects
 * keep the names of the plan that loaded them, though their content, by which plans name them, is another. Pure.
 */

import type { SetChange } from "../../../kernel/nftables/direct-changes.ts";
import { elementCount, type NftMap, type NftSet, withReferences } from "../../../kernel/nftables/objects.ts";
import type { NetworkPlan, PlanObject } from "../compile/plan.ts";
import { isFilledSet } from "../names.ts";
import { leadAlike, ledBy } from "./transaction.ts";

/** A plan that is in force, and the names that its objects have in the kernel where these are others. */
export interface Loaded {
	readonly plan: NetworkPlan;
	readonly names: ReadonlyMap<string, string>;
}

/** What makes a plan of another one: changes of sets, and the names that the new plan's objects have then. */
export interface InPlace {
	readonly changes: readonly SetChange[];
	readonly names: ReadonlyMap<string, string>;
}

/** Smaller sets are loaded anew as fast. */
const leastElements = 1000;

const noNames: ReadonlyMap<string, string> = new Map();

/** A plan that was loaded under its own names. */
export function loadedAs(plan: NetworkPlan): Loaded {
	return { plan, names: noNames };
}

/** The same where the kernel was told of other uplinks since. */
export function withUplinks(loaded: Loaded, uplinks: readonly string[]): Loaded {
	const { forward } = loaded.plan;
	if (forward === undefined) return loaded;
	return { ...loaded, plan: { ...loaded.plan, forward: { ...forward, uplinks } } };
}

/** Names in the kernel whose content is no longer the one that the name is made of. */
export function staleNames(loaded: Loaded | null): readonly string[] {
	return loaded === null ? [] : [...loaded.names.values()];
}

/** Null where more differs than elements of large sets, or nothing does. */
export function inPlace(before: Loaded, after: NetworkPlan): InPlace | null {
	const { plan } = before;
	if (plan.objects.length !== after.objects.length) return null;
	const large = (object: PlanObject) =>
		(object.kind === "set" || object.kind === "map") && elementCount(object) >= leastElements;
	const [old, now] = [namesOf(plan), namesOf(after)];
	const [gone, fresh] = [plan.objects, after.objects].map((objects, i) =>
		objects.filter(({ name }) => !(i === 0 ? now : old).has(name)),
	);
	if (gone === undefined || fresh?.length !== gone.length || !fresh.some(large)) return null;
	/** Names of the new plan → of the old one, and → of the kernel. */
	const earlier = new Map<string, string>();
	const kernel = new Map([...before.names].filter(([name]) => now.has(name)));
	const changes: SetChange[] = [];
	for (const [i, object] of fresh.entries()) {
		const was = gone[i];
		if (was === undefined || was.kind !== object.kind) return null;
		// Counters, quotas and what rules or the daemon fill are known by their names to whoever reads or fills them.
		if ((object.kind !== "chain" && !isSet(object)) || isFilledSet(object.name)) return null;
		const name = before.names.get(was.name) ?? was.name;
		const renamed = withReferences({ ...object, name: was.name }, (one) => earlier.get(one) ?? one);
		if (!Bun.deepEquals(withoutElements(was), withoutElements(renamed))) return null;
		if (!sameElements(was, renamed)) {
			if (!isSet(was) || !isSet(renamed) || !large(object)) return null;
			const under = (one: NftSet | NftMap) =>
				withReferences(one, (other) => before.names.get(other) ?? other);
			changes.push({ name, before: under(was), after: under(renamed) });
		}
		earlier.set(object.name, was.name);
		if (object.name !== name) kernel.set(object.name, name);
	}
	if (changes.length === 0 || !leadAlike(ledBy(plan), renamedLead(after, earlier))) return null;
	if (plan.egressHook !== after.egressHook) return null;
	// Whoever loads this plan under its own names must find none of them taken.
	if (hasAny(after, [...kernel.values()])) return null;
	return { changes, names: kernel };
}

/** Whether objects of a plan have any of these names. */
export function hasAny({ objects }: NetworkPlan, names: readonly string[]): boolean {
	const some = new Set(names);
	return some.size > 0 && objects.some(({ name }) => some.has(name));
}

function namesOf({ objects }: NetworkPlan): ReadonlySet<string> {
	return new Set(objects.map(({ name }) => name));
}

function isSet(object: PlanObject): object is NftSet | NftMap {
	return object.kind === "set" || object.kind === "map";
}

/** All of an object that is not changed in place: of a set its type, of a map where elements may lead. */
function withoutElements(object: PlanObject): unknown {
	if (object.kind === "set") return { ...object, keys: "" };
	if (object.kind !== "map") return object;
	// In whatever order elements came upon them.
	const values = object.values.map((value) => JSON.stringify(value)).sort();
	return { ...object, keys: "", values, leads: [] };
}

function sameElements(one: PlanObject, other: PlanObject): boolean {
	if (!isSet(one) || !isSet(other)) return true;
	if (one.keys !== other.keys) return false;
	return (
		one.kind === "set" ||
		other.kind === "set" ||
		Bun.deepEquals([one.values, one.leads], [other.values, other.leads])
	);
}

function renamedLead(plan: NetworkPlan, names: ReadonlyMap<string, string>) {
	const renamed = (name: string) => names.get(name) ?? name;
	const { roots, forward, quotas, staged } = ledBy(plan);
	const rootsOf = (all: object) =>
		Object.fromEntries(Object.entries(all).map(([key, name]) => [key, renamed(name)]));
	return {
		...ledBy(plan),
		roots: { ingress: renamed(roots.ingress), egress: renamed(roots.egress) },
		...(forward === undefined ? {} : { forward: { ...forward, root: renamed(forward.root) } }),
		...(quotas === undefined ? {} : { quotas: { ...quotas, roots: rootsOf(quotas.roots) } }),
		...(staged === undefined ? {} : { staged: { ...staged, roots: rootsOf(staged.roots) } }),
	};
}
