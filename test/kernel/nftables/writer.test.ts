import { expect, test } from "bun:test";
import { UnwritableError } from "../../../src/kernel/nftables/check.ts";
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
	byInterface,
	commented,
	counted,
	countedBy,
	goto,
	inSet,
	joined,
	jump,
	limited,
	logged,
	noted,
	vmap,
} from "../../../src/kernel/nftables/expressions.ts";
import type { Chain, NftMap, NftObject, NftSet } from "../../../src/kernel/nftables/objects.ts";
import { elementCount, withReferences } from "../../../src/kernel/nftables/objects.ts";
import { objectText, script, tableText } from "../../../src/kernel/nftables/writer.ts";
import { referencesOf } from "../../support/object-names.ts";

const leaf: Chain = {
	kind: "chain",
	name: "leaf",
	rules: [
		`${counted("c")} ${limited({ rate: 5, burst: 9 })} ${logged({ prefix: "pw:x", group: 7, snapLength: 64, queueThreshold: 1 })}`,
		commented("drop", "p ingress[0] Block"),
	],
};
const verdicts: NftMap = {
	kind: "map",
	name: "v",
	type: "ipv4_addr . inet_service",
	to: "verdict",
	flags: ["interval"],
	keys: "10.0.0.0/8 . 1-2\n192.0.2.1 . 3",
	values: [{ verdict: "goto", chain: "leaf" }],
	leads: [0, 0],
};
const counters: NftMap = {
	kind: "map",
	name: "k",
	type: "ipv6_addr",
	to: "counter",
	size: 1,
	keys: "2001:db8::1",
	values: [{ counter: "c", comment: "p ingress[1] Allow" }],
	leads: [0],
};
const remembered: NftSet = {
	kind: "set",
	name: "s",
	type: "ipv4_addr",
	flags: ["dynamic", "timeout"],
	timeout: 1,
	size: 9,
	keys: "",
};
const base: Chain = {
	kind: "chain",
	name: "base",
	hook: { hook: "input", priority: -5 },
	rules: [
		vmap("ip saddr . th dport", "v"),
		countedBy("ip6 saddr", "k"),
		inSet("ip saddr", "s", "accept"),
		noted("ct state new", "s", "ip saddr"),
		joined(`${byInterface("iifname", "eth*")} `, jump("leaf")),
		joined('iifname vmap { "a" : ', goto("leaf"), ', "b" : ', goto("leaf"), " }"),
		'quota name "q" drop',
	],
};
const objects: readonly NftObject[] = [
	{ kind: "counter", name: "c" },
	{ kind: "quota", name: "q", match: "over", bytes: 1000 },
	leaf,
	verdicts,
	counters,
	remembered,
	base,
];

function load(text: string): string {
	const nft = Bun.spawnSync(["unshare", "-n", "sh", "-c", "nft -f - && nft list ruleset"], {
		stdin: Buffer.from(text),
	});
	expect(nft.stderr.toString()).toBe("");
	return nft.stdout.toString();
}

test("objects are written as nft reads them, alone and in a table", () => {
	expect(objectText(verdicts)).toBe(
		"map v {\n\ttype ipv4_addr . inet_service : verdict\n\tflags interval\n\telements = {\n" +
			"\t\t10.0.0.0/8 . 1-2 : goto leaf,\n\t\t192.0.2.1 . 3 : goto leaf\n\t}\n}\n",
	);
	const listing = load(tableText("t", [objects.slice(0, 2), ...objects.slice(2).map((object) => [object])]));
	for (const part of [
		"quota q {\n\t\tover 1000 bytes",
		'2001:db8::1 comment "p ingress[1] Allow" : "c"',
		"type filter hook input priority filter - 5; policy accept;",
		'log prefix "pw:x" group 7 snaplen 64',
		'drop comment "p ingress[0] Block"',
		'"b" : goto leaf',
	])
		expect(listing).toContain(part);
});

test("a transaction of every command", () => {
	const commands: readonly Command[] = [
		createTable,
		declare(objects),
		add({ ...base, name: "other", rules: [] }),
		flush("chain", "other"),
		addRules("other", ["accept", goto("leaf")]),
		add({ kind: "counter", name: "c2" }),
		add({ kind: "set", name: "s2", type: "ipv4_addr", flags: ["interval"], keys: "" }),
		addElements("s2", ["192.0.2.0/24", "198.51.100.1"]),
		remove("counter", "c2"),
		flush("map", "k"),
	];
	const listing = load(script("t", commands));
	expect(listing).toContain("elements = { 192.0.2.0/24, 198.51.100.1 }");
	expect(listing).not.toContain("counter c2");
	expect(load(script("t", [addTable, deleteTable]))).toBe("");
});

test("a name that is none, a text that would end another, and numbers that are none are not written", () => {
	const wrong: readonly Command[] = [
		remove("chain", "a; flush ruleset"),
		addRules("c", ["accept; flush ruleset"]),
		addRules("c", [["goto ", "x } flush ruleset"]]),
		declare([{ ...verdicts, values: [{ verdict: "goto", chain: "a b" }] }]),
		declare([{ ...counters, values: [{ counter: "c", comment: '" }' }] }]),
		declare([{ ...remembered, type: "ipv4_addr; }" }]),
		add({ ...base, hook: { hook: "input priority 0; }", priority: 0 } }),
		addElements("s", ["1.2.3.4 }"]),
	];
	for (const command of wrong) expect(() => script("t", [command])).toThrow(UnwritableError);
	expect(() => script("t; flush ruleset", [addTable])).toThrow(UnwritableError);
	expect(() => objectText({ ...verdicts, leads: [0] })).toThrow(RangeError);
	expect(() => objectText({ ...verdicts, leads: [0, 1] })).toThrow(RangeError);
	expect(() => objectText({ ...remembered, size: 0.5 })).toThrow(RangeError);
});

test("names are fields: they are found and replaced without looking into text", () => {
	expect(objects.map(referencesOf)).toEqual([
		[],
		[],
		[],
		["leaf"],
		[],
		[],
		["v", "k", "s", "s", "leaf", "leaf", "leaf"],
	]);
	expect(objects.map(elementCount)).toEqual([0, 0, 0, 2, 1, 0, 0]);
	expect(elementCount({ ...remembered, keys: "1.2.3.4\n1.2.3.5" })).toBe(2);
	const renamed = objects.map((object) => withReferences(object, (name) => `${name}_2`));
	expect(renamed.flatMap(referencesOf)).toEqual(objects.flatMap(referencesOf).map((name) => `${name}_2`));
	expect(renamed.map((object) => withReferences(object, (name) => name.slice(0, -2)))).toEqual([...objects]);
});
