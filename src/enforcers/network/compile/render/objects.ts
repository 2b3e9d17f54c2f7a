/** Collects a plan's objects: equal content is one object, and an object names only earlier ones. */

import { digest } from "../../../../base/digest.ts";
import {
	type Chain,
	elementCount,
	type NftMap,
	type NftObject,
	type NftSet,
	type Rule,
	withReferences,
} from "../../../../kernel/nftables/objects.ts";
import { bodyText, contentTexts } from "../../../../kernel/nftables/writer.ts";
import { type ContentKind, isFilledSet, planName } from "../../names.ts";
import type { NetworkPlan, PlanObject } from "../plan.ts";

/** The name that an object's content has in an epoch. */
function contentName(epoch: string, object: NftObject & { readonly kind: ContentKind }): string {
	return planName(object.kind, digest(epoch, object.kind, ...contentTexts(object)));
}

/** Whether two objects are the same but for their names: as values, which is quick where they are large, or as text. */
function isSame(a: PlanObject, b: PlanObject): boolean {
	if (a.kind !== b.kind) return false;
	const keys = (object: PlanObject) => ("keys" in object ? object.keys : "");
	const others = (object: PlanObject) => JSON.stringify({ ...object, name: "", keys: "" });
	return (keys(a) === keys(b) && others(a) === others(b)) || bodyText(a) === bodyText(b);
}

export class ObjectStore {
	readonly #byName = new Map<string, PlanObject>();
	readonly #epoch: string;

	/** @param epoch Part of every name but those of counters. */
	constructor(epoch: string) {
		this.#epoch = epoch;
	}

	/** These add an object named by its content, and return the name. */
	chain(rules: readonly Rule[]): string {
		return this.#add({ kind: "chain", name: "", rules } satisfies Chain);
	}

	set(content: Omit<NftSet, "kind" | "name">): string {
		return this.#add({ ...content, kind: "set", name: "" } satisfies NftSet);
	}

	map(content: Omit<NftMap, "kind" | "name">): string {
		return this.#add({ ...content, kind: "map", name: "" } satisfies NftMap);
	}

	/** Adds a named counter; its name outlives epochs. */
	counter(name: string): void {
		this.#byName.set(name, { kind: "counter", name });
	}

	/** Adds a quota that matches beyond so many bytes; its name outlives epochs. */
	quota(name: string, bytes: number): void {
		this.#byName.set(name, { kind: "quota", name, match: "over", bytes });
	}

	/** Adds an object that a store of this epoch made, or one whose name outlives epochs, and returns its name. */
	again(object: PlanObject): string {
		this.#byName.set(object.name, object);
		return object.name;
	}

	get(name: string): PlanObject | undefined {
		return this.#byName.get(name);
	}

	#add(object: Chain | NftSet | NftMap): string {
		const name = contentName(this.#epoch, object);
		const known = this.#byName.get(name);
		if (known === undefined) this.#byName.set(name, { ...object, name });
		else if (!isSame(known, object)) throw new Error(`two objects share the name ${name}`);
		return name;
	}

	get objects(): readonly PlanObject[] {
		return [...this.#byName.values()];
	}

	get size(): number {
		return this.#byName.size;
	}

	/** Kernel elements of all objects. */
	get elements(): number {
		return this.objects.reduce((sum, object) => sum + elementCount(object), 0);
	}
}

function leadsNowhere(object: PlanObject): object is Chain {
	return object.kind === "chain" && object.rules.every((rule) => typeof rule === "string");
}

/** The names of such chains in the epoch that was asked for last: most of a plan is the same again. */
const renamedBefore = new WeakMap<Chain, { readonly epoch: string; readonly name: string }>();

function renamedAlone(chain: Chain, epoch: string): Chain {
	const before = renamedBefore.get(chain);
	if (before?.epoch === epoch) return { ...chain, name: before.name };
	const name = contentName(epoch, chain);
	renamedBefore.set(chain, { epoch, name });
	return { ...chain, name };
}

/**
 * The same ruleset under names of `epoch`, [a-z0-9]{1,16}: two plans that mean the same become equal, whatever their
 * epochs were.
 */
export function inEpoch(plan: NetworkPlan, epoch: string): NetworkPlan {
	const names = new Map<string, string>();
	const renamed = (name: string) => names.get(name) ?? name;
	// An object names only earlier ones, so those have their new names already.
	const objects = plan.objects.map((object) => {
		if (object.kind === "counter" || object.kind === "quota" || isFilledSet(object.name)) return object;
		if (leadsNowhere(object)) {
			const chain = renamedAlone(object, epoch);
			names.set(object.name, chain.name);
			return chain;
		}
		const next = withReferences(object, renamed);
		const name = contentName(epoch, next);
		names.set(object.name, name);
		return { ...next, name };
	});
	const roots = { ingress: renamed(plan.roots.ingress), egress: renamed(plan.roots.egress) };
	const { forward, quotas, services } = plan;
	const counting =
		quotas && Object.fromEntries(Object.entries(quotas.roots).map(([name, root]) => [name, renamed(root)]));
	const led = {
		...(forward === undefined ? {} : { forward: { ...forward, root: renamed(forward.root) } }),
		...(quotas === undefined ? {} : { quotas: { ...quotas, roots: { ...counting } } }),
		...(services?.noting === undefined
			? {}
			: { services: { ...services, noting: renamed(services.noting) } }),
	};
	return { ...plan, objects, roots, ...led };
}
