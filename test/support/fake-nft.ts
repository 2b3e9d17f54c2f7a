/**
 * nf_tables as the kernel was measured to behave (test/system/kernel/fake-nft.property.test.ts holds the two against each
 * other): a transaction takes effect whole or not at all; what is missing is missing and what is there is there; what
 * something leads to cannot be deleted. It knows tables of family inet, and of rules what the names in them say.
 */

import type { Command } from "../../src/kernel/nftables/commands.ts";
import type { NftKernel, Outcome } from "../../src/kernel/nftables/kernel.ts";
import type { TableRead } from "../../src/kernel/nftables/listing.ts";
import {
	type Chain,
	keysOf,
	type MapValue,
	type NftMap,
	type NftObject,
	type NftSet,
	type Rule,
} from "../../src/kernel/nftables/objects.ts";
import type { ListedRule, RulesRead } from "../../src/kernel/nftables/rule-listing.ts";
import { ruleText, script } from "../../src/kernel/nftables/writer.ts";
import { namesIn } from "./object-names.ts";

export interface FakeTable {
	readonly handle: number;
	/** By kind and name; sets and maps share their names. */
	readonly objects: Map<string, NftObject>;
}

const missing = "No such file or directory";
const present = "File exists";
const busy = "Device or resource busy";
const unsupported = "Operation not supported";
const circular = "Too many links";

class Refused extends Error {}

function place(kind: NftObject["kind"], name: string): string {
	return `${kind === "map" ? "set" : kind} ${name}`;
}

export class FakeNft implements NftKernel {
	#tables = new Map<string, FakeTable>();
	#handles = 0;
	/** Called after every transaction that took effect. */
	onCommit: (table: string, commands: readonly Command[]) => void = () => {};
	/** Why the next transaction is refused, as by a kernel that cannot do it. */
	refuse: ((commands: readonly Command[]) => string | null) | null = null;

	table(name: string): FakeTable | undefined {
		return this.#tables.get(name);
	}

	/** All that a table holds, in the order in which it was made. */
	objects(name: string): readonly NftObject[] {
		return [...(this.#tables.get(name)?.objects.values() ?? [])];
	}

	run(name: string, commands: readonly Command[]): Outcome {
		// What the writer refuses reaches no kernel.
		script(name, commands);
		const refusal = this.refuse?.(commands) ?? null;
		if (refusal !== null) return { ok: false, error: refusal };
		const before = this.#tables;
		this.#tables = new Map(
			[...before].map(([key, { handle, objects }]) => [key, { handle, objects: new Map(objects) }]),
		);
		try {
			for (const command of commands) this.#apply(name, command);
			if (circles(this.#tables.get(name)?.objects ?? new Map())) throw new Refused(circular);
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			this.#tables = before;
			return { ok: false, error: `Error: Could not process rule: ${error.message}` };
		}
		this.onCommit(name, commands);
		return { ok: true };
	}

	list(name: string): TableRead {
		const table = this.#tables.get(name);
		if (table === undefined) return { ok: true, listing: null };
		const objects = [...table.objects.values()];
		const names = (kind: NftObject["kind"]) =>
			objects.filter((one) => one.kind === kind).map((one) => one.name);
		const chains = objects.filter((one) => one.kind === "chain");
		const hooks = chains.flatMap(({ name, hook }) => (hook === undefined ? [] : [[name, hook] as const]));
		return {
			ok: true,
			listing: {
				handle: table.handle,
				chains: names("chain"),
				hooks: Object.fromEntries(hooks),
				sets: names("set"),
				maps: names("map"),
				counters: names("counter"),
				quotas: names("quota"),
			},
		};
	}

	rules(name: string, chain: string): RulesRead {
		const found = this.#tables.get(name)?.objects.get(place("chain", chain));
		return { ok: true, rules: found?.kind === "chain" ? found.rules.map(listedRule) : [] };
	}

	#apply(name: string, command: Command): void {
		// No rules are no command.
		if (command.do === "add-rules" && command.rules.length === 0) return;
		if (command.do === "create-table" && this.#tables.has(name)) throw new Refused(present);
		if (command.do === "create-table" || command.do === "add-table" || command.do === "declare") {
			if (!this.#tables.has(name)) this.#tables.set(name, { handle: ++this.#handles, objects: new Map() });
		}
		const table = this.#tables.get(name);
		if (table === undefined) throw new Refused(missing);
		const { objects } = table;
		switch (command.do) {
			case "delete-table":
				this.#tables.delete(name);
				break;
			case "declare":
				declare(objects, command.objects);
				break;
			case "add":
				make(objects, command.object);
				break;
			case "flush":
				flush(objects, command.kind, command.name);
				break;
			case "delete":
				remove(objects, command.kind, command.name);
				break;
			case "add-rules":
				for (const rule of command.rules) addRule(objects, command.chain, rule);
				break;
			case "add-elements":
				addKeys(objects, { kind: "set", name: command.set, type: "", keys: command.keys });
				break;
		}
	}
}

type Objects = Map<string, NftObject>;

/** As libnftables sorts a table's block: what is named first, then elements, then rules. */
function declare(objects: Objects, declared: readonly NftObject[]): void {
	for (const object of declared) make(objects, object);
	for (const object of declared) {
		if (object.kind === "set" || object.kind === "map") addKeys(objects, object);
	}
	for (const object of declared) {
		if (object.kind === "chain") for (const rule of object.rules) addRule(objects, object.name, rule);
	}
}

/** Without rules and elements. */
function make(objects: Objects, object: NftObject): void {
	const at = place(object.kind, object.name);
	const known = objects.get(at);
	if (known === undefined) {
		objects.set(at, emptied(object));
		return;
	}
	if (known.kind === "chain" && object.kind === "chain") checkHook(known, object);
	else if (JSON.stringify(shapeOf(known)) !== JSON.stringify(shapeOf(object))) throw new Refused(present);
}

/** A chain can be named again without its hook, never with another one. */
function checkHook({ hook: known }: Chain, { hook }: Chain): void {
	if (hook === undefined) return;
	if (known === undefined || known.hook !== hook.hook || known.priority !== hook.priority)
		throw new Refused(unsupported);
}

function shapeOf(object: NftObject): readonly unknown[] {
	if (object.kind !== "set" && object.kind !== "map") return [object.kind];
	const to = object.kind === "map" ? object.to : null;
	return [object.kind, object.type, to, object.flags ?? [], object.timeout ?? null];
}

function emptied(object: NftObject): NftObject {
	if (object.kind === "chain") return { ...object, rules: [] };
	if (object.kind === "set") return { ...object, keys: "" };
	return object.kind === "map" ? { ...object, keys: "", values: [], leads: [] } : object;
}

function find<Kind extends NftObject["kind"]>(objects: Objects, kind: Kind, name: string) {
	const found = objects.get(place(kind, name));
	if (found === undefined) throw new Refused(missing);
	return found;
}

function flush(objects: Objects, kind: "chain" | "set" | "map", name: string): void {
	objects.set(place(kind, name), emptied(find(objects, kind, name)));
}

function remove(objects: Objects, kind: NftObject["kind"], name: string): void {
	const at = place(kind, name);
	find(objects, kind, name);
	// A chain's own rules go with it; one that leads back to it keeps it all the same.
	if ([...objects.values()].some((object) => usesOf(object).includes(at))) throw new Refused(busy);
	objects.delete(at);
}

/** What an object holds on to. */
function usesOf(object: NftObject): readonly string[] {
	if (object.kind === "chain") return object.rules.flatMap(usesOfRule);
	if (object.kind !== "map") return [];
	return object.leads.flatMap((lead) => usesOfValue(object.values[lead]));
}

function usesOfRule(rule: Rule): readonly string[] {
	const text = ruleText(rule);
	const counters = [...text.matchAll(/counter name "([^"]+)"/g)].map(([, name = ""]) =>
		place("counter", name),
	);
	const kinds = (name: string) => (text.includes(`@${name}`) ? place("set", name) : place("chain", name));
	const quotas = [...text.matchAll(/quota name "([^"]+)"/g)].map(([, name = ""]) => place("quota", name));
	return [...counters, ...quotas, ...namesIn(rule).map(kinds)];
}

function usesOfValue(value: MapValue | undefined): readonly string[] {
	if (value === undefined) return [];
	return ["chain" in value ? place("chain", value.chain) : place("counter", value.counter)];
}

function checkUses(objects: Objects, uses: readonly string[]): void {
	for (const use of uses) {
		const used = objects.get(use);
		if (used === undefined) throw new Refused(missing);
		if (used.kind === "chain" && used.hook !== undefined) throw new Refused(unsupported);
	}
}

function addRule(objects: Objects, name: string, rule: Rule): void {
	const chain = find(objects, "chain", name);
	if (chain.kind !== "chain") throw new Refused(missing);
	checkUses(objects, usesOfRule(rule));
	objects.set(place("chain", name), { ...chain, rules: [...chain.rules, rule] });
}

/** Whether packets could go round in circles. Chains that no base chain leads to may. */
function circles(objects: Objects): boolean {
	const visit = (at: string, way: readonly string[]): boolean => {
		const object = objects.get(at);
		if (object === undefined) return false;
		return way.includes(at) || usesOf(object).some((next) => visit(next, [...way, at]));
	};
	return [...objects].some(
		([at, object]) => object.kind === "chain" && object.hook !== undefined && visit(at, []),
	);
}

function addKeys(objects: Objects, added: NftSet | NftMap): void {
	const at = place(added.kind, added.name);
	const known = find(objects, added.kind, added.name);
	if (known.kind === "set") {
		const keys = new Set([...keysOf(known), ...keysOf(added)]);
		objects.set(at, { ...known, keys: [...keys].join("\n") });
		return;
	}
	if (known.kind !== "map" || added.kind !== "map") return;
	const values = new Map(keysOf(known).map((key, i) => [key, known.values[known.leads[i] ?? -1]]));
	for (const [i, key] of keysOf(added).entries()) {
		const value = added.values[added.leads[i] ?? -1];
		checkUses(objects, usesOfValue(value));
		if (values.has(key) && JSON.stringify(values.get(key)) !== JSON.stringify(value))
			throw new Refused(present);
		values.set(key, value);
	}
	const filled = [...values.values()].filter((value) => value !== undefined);
	objects.set(at, {
		...known,
		keys: [...values.keys()].join("\n"),
		values: filled,
		leads: filled.map((_, i) => i),
	});
}

function listedRule(rule: Rule): ListedRule {
	const text = ruleText(rule);
	const comment = /comment "([^"]*)"$/.exec(text)?.[1] ?? null;
	const bare = text.replace(/ ?comment "[^"]*"$/, "");
	const [, before = "", word, chain] =
		/^(.*?)(?:^|(?<= ))(accept|drop|return|jump|goto) ?(\w+)?$/.exec(bare) ?? [];
	if (word === undefined) return { verdict: null, unconditional: false, comment };
	const verdict = {
		word: word as NonNullable<ListedRule["verdict"]>["word"],
		...(chain === undefined ? {} : { chain }),
	};
	return { verdict, unconditional: before === "", comment };
}
