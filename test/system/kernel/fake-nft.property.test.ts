/** The fake and the kernel, given the same random transactions, say and hold the same. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { Nftables } from "../../../ffi/nftables.ts";
import {
	add,
	addElements,
	addRules,
	addTable,
	type Command,
	createTable,
	declare,
	deleteTable,
	flush,
	remove,
} from "../../../src/kernel/nftables/commands.ts";
import {
	commented,
	counted,
	goto,
	inSet,
	joined,
	jump,
	vmap,
} from "../../../src/kernel/nftables/expressions.ts";
import { type NftKernel, nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import type { Chain, NftMap, NftObject, NftSet, Rule } from "../../../src/kernel/nftables/objects.ts";
import { FakeNft } from "../../support/fake-nft.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let kernel: NftKernel;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	if (!opened.ok) throw new Error(opened.reason);
	nftables = opened.nftables;
	kernel = nftKernel(nftables);
});
afterAll(() => {
	nftables.close();
	network.leave();
});
afterEach(() => {
	command("nft", "flush", "ruleset");
});

const table = "t";
const chains = ["a", "b", "c"] as const;
const chainName = fc.constantFrom(...chains, "hooked");
const counterName = fc.constantFrom("k", "l");

const rule: fc.Arbitrary<Rule> = fc.oneof(
	fc.constantFrom<Rule>("accept", "drop", commented("accept", "so it is"), "ct state established accept"),
	chainName.map(jump),
	chainName.map(goto),
	chainName.map((name) => joined("ip ttl 1 ", jump(name))),
	counterName.map((name) => `${counted(name)} drop`),
	fc.constant(inSet("ip saddr", "s", "return")),
	fc.constant(vmap("ip saddr", "m")),
);
const rules = fc.array(rule, { maxLength: 3 });
const key = fc.constantFrom("192.0.2.1", "192.0.2.2", "192.0.2.3");
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 3 });

const chain: fc.Arbitrary<Chain> = fc.oneof(
	fc.record({ kind: fc.constant("chain" as const), name: fc.constantFrom(...chains), rules }),
	fc.record({
		kind: fc.constant("chain" as const),
		name: fc.constantFrom("hooked", "hooked", "hooked", "c"),
		hook: fc.record({ hook: fc.constant("input"), priority: fc.constantFrom(20, 20, 21) }),
		rules,
	}),
);
const set: fc.Arbitrary<NftSet> = keys.map((some) => ({
	kind: "set",
	name: "s",
	type: "ipv4_addr",
	keys: some.join("\n"),
}));
const map: fc.Arbitrary<NftMap> = fc.tuple(keys, chainName).map(([some, target]) => ({
	kind: "map",
	name: "m",
	type: "ipv4_addr",
	to: "verdict",
	keys: some.join("\n"),
	values: [{ verdict: "goto", chain: target }],
	leads: some.map(() => 0),
}));
const counter: fc.Arbitrary<NftObject> = counterName.map((name) => ({ kind: "counter", name }));
const object: fc.Arbitrary<NftObject> = fc.oneof({ weight: 3, arbitrary: chain }, set, map, counter);

const step: fc.Arbitrary<Command> = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.uniqueArray(object, { maxLength: 5, selector: ({ name }) => name }).map(declare),
	},
	{ weight: 3, arbitrary: object.map(add) },
	{ weight: 3, arbitrary: fc.tuple(chainName, rules).map(([name, some]) => addRules(name, some)) },
	keys.map((some) => addElements("s", some)),
	{ weight: 2, arbitrary: chainName.map((name) => flush("chain", name)) },
	fc.constantFrom(flush("set", "s"), flush("map", "m")),
	{ weight: 2, arbitrary: chainName.map((name) => remove("chain", name)) },
	counterName.map((name) => remove("counter", name)),
	fc.constantFrom(remove("set", "s"), remove("map", "m")),
	fc.constantFrom(addTable, addTable, createTable, deleteTable),
);
/** libnftables itself forgets elements that it has just read where their set is emptied behind them: nobody does that. */
function emptiesAtOnce(commands: readonly Command[]): boolean {
	return commands.some(
		(one, i) =>
			one.do === "flush" &&
			one.kind !== "chain" &&
			commands.slice(0, i).some((before) => before.do === "declare" || before.do === "add-elements"),
	);
}

const transaction = fc
	.array(step, { minLength: 1, maxLength: 4 })
	.filter((commands) => !emptiesAtOnce(commands));
/** A table with something of every kind, so that there is something to refer to. */
const furnished: readonly Command[] = [
	declare([
		...chains.map((name): Chain => ({ kind: "chain", name, rules: [] })),
		{ kind: "chain", name: "hooked", hook: { hook: "input", priority: 20 }, rules: [jump("a")] },
		{ kind: "set", name: "s", type: "ipv4_addr", keys: "" },
		{ kind: "map", name: "m", type: "ipv4_addr", to: "verdict", keys: "", values: [], leads: [] },
		{ kind: "counter", name: "k" },
		{ kind: "counter", name: "l" },
	]),
];

const transactions = fc
	.tuple(fc.boolean(), fc.array(transaction, { minLength: 1, maxLength: 8 }))
	.map(([first, all]) => (first ? [furnished, ...all] : all));

/** What a table holds, in any order. */
function held(nft: NftKernel) {
	const listed = nft.list(table);
	if (!listed.ok) throw new Error(listed.error);
	const { listing } = listed;
	if (listing === null) return null;
	const { handle: _, hooks, ...names } = listing;
	const sorted = Object.entries(names).map(([kind, some]) => [kind, [...some].sort()]);
	const inside = [...listing.chains].sort().map((name) => {
		const read = nft.rules(table, name);
		if (!read.ok) throw new Error(read.error);
		return [name, read.rules];
	});
	return { hooks: { ...hooks }, sorted, inside };
}

/** The system's words in an error: what libnftables adds is about places in its text. */
function reason(result: { ok: true } | { ok: false; error: string }): string {
	if (result.ok) return "";
	const words = ["No such file", "File exists", "busy", "not supported", "Too many levels", "Too many links"];
	return words.find((word) => result.error.includes(word)) ?? result.error;
}

test("random transactions", () => {
	let refused = 0;
	let done = 0;
	fc.assert(
		fc.property(transactions, (all) => {
			command("nft", "flush", "ruleset");
			const fake = new FakeNft();
			for (const commands of all) {
				const real = kernel.run(table, commands);
				const told = fake.run(table, commands);
				if (real.ok) done += 1;
				else refused += 1;
				expect(told.ok).toBe(real.ok);
				// Of several errors libnftables tells those that it finds itself, before it asks the kernel.
				const [only, ...others] = commands;
				const single = only?.do !== "declare" && !(only?.do === "add-rules" && only.rules.length > 1);
				if (others.length === 0 && single) expect(reason(told)).toBe(reason(real));
				expect(held(fake)).toEqual(held(kernel));
			}
		}),
		{ numRuns: 150, includeErrorInReport: true },
	);
	expect(done).toBeGreaterThan(50);
	expect(refused).toBeGreaterThan(50);
});
