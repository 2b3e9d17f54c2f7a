/** What goes to the kernel without libnftables is in it as libnftables would have put it there. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { loadObjects, manyObjects } from "../../../src/enforcers/network/apply/load-objects.ts";
import type { PlanObject } from "../../../src/enforcers/network/compile/plan.ts";
import { ownershipMarker } from "../../../src/enforcers/network/names.ts";
import {
	addRules,
	addTable,
	type Command,
	declare,
	flush,
	remove,
} from "../../../src/kernel/nftables/commands.ts";
import { directBatch } from "../../../src/kernel/nftables/direct.ts";
import {
	commented,
	commonKey,
	commonType,
	confirmed,
	counted,
	goto,
	joined,
	jump,
	limited,
	logged,
	withinCount,
	withinQuota,
	withinRate,
} from "../../../src/kernel/nftables/expressions.ts";
import { nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import type { Chain, NftObject, Rule } from "../../../src/kernel/nftables/objects.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	if (!opened.ok) throw new Error(opened.reason);
	nftables = opened.nftables;
	const made = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!made.ok) throw new Error(made.error);
	socket = made.socket;
});
afterAll(() => {
	socket.close();
	nftables.close();
	network.leave();
});
afterEach(() => void command("nft", "flush", "ruleset"));

const chain = (name: string, ...rules: Rule[]): Chain => ({ kind: "chain", name, rules });
const log = { prefix: "pw:0123456789abcdef", group: 4242, snapLength: 160, queueThreshold: 64 };
const leaf = (name: string, verdict: string) =>
	chain(
		name,
		`${counted("c")} ${limited({ rate: 500, burst: 1000 })} ${counted("l")} ${logged(log)}`,
		commented(verdict, "some-policy ingress[3] Block"),
	);
const objects: readonly NftObject[] = [
	{ kind: "counter", name: "c" },
	{ kind: "counter", name: "l" },
	leaf("x_1", "drop"),
	leaf("x_2", "accept"),
	chain("x_3", counted("c"), "accept"),
	{ kind: "quota", name: "q_1", match: "over", bytes: 2 ** 40 + 1 },
	{ kind: "quota", name: "q_2", match: "until", bytes: 3000, used: 2000 },
	chain("x_4", joined(`${withinQuota("q_1")} `, goto("x_1"))),
	chain("root"),
	chain("empty"),
];
const swap = [flush("chain", "root"), addRules("root", [jump("x_3"), goto("x_1")])];

/** The table after these transactions, with libnftables alone or without it. */
function listing(direct: boolean, ...transactions: readonly (readonly Command[])[]): string {
	command("nft", "flush", "ruleset");
	const kernel = nftKernel(nftables, direct ? socket : null);
	expect(kernel.run("t", [addTable])).toEqual({ ok: true });
	for (const commands of transactions) expect(kernel.run("t", commands)).toEqual({ ok: true });
	return command("nft", "list", "ruleset");
}

test("objects, rules and swaps are the same", () => {
	const transactions = [[declare(objects)], swap, [flush("chain", "empty"), ...swap]];
	for (const commands of transactions) expect(directBatch("t", commands, 1)).not.toBeNull();
	const listed = listing(true, ...transactions);
	expect(listed).toBe(listing(false, ...transactions));
	expect(listed).toContain("goto x_1");
});

test("limits that sets keep are the same", () => {
	const set = (name: string, type: string, timeout?: number): NftObject => ({
		kind: "set",
		name,
		type,
		flags: timeout === undefined ? ["dynamic"] : ["dynamic", "timeout"],
		...(timeout === undefined ? {} : { timeout }),
		size: 65_536,
		keys: "",
	});
	const rate = { count: 10, unit: "minute", burst: 5 } as const;
	const block = "ip6 saddr & ffff:ffff:ffff:ffff::";
	const meters = chain(
		"meters",
		joined(`${confirmed} `, goto("x_1")),
		joined(withinRate("r4", "ip saddr", rate), " ", goto("x_2")),
		joined(withinRate("r6", block, { ...rate, unit: "day" }), " ", goto("x_2")),
		joined(withinRate("ra", commonKey, { ...rate, unit: "hour" }), " ", goto("x_2")),
		joined(withinRate("r6", "ip6 saddr", { ...rate, unit: "second" }), " ", goto("x_2")),
		joined(withinCount("c4", "ip saddr", 20), " ", goto("x_2")),
		joined(withinCount("c6", block, 1000), " ", goto("x_2")),
		joined(withinCount("one", commonKey, 3), " ", goto("x_2")),
		joined("ip saddr != @", ["", "r4"], " ", goto("x_1")),
		joined(`${block} != @`, ["", "c6"], " ", goto("x_1")),
	);
	const sets = [
		set("r4", "ipv4_addr", 30),
		set("r6", "ipv6_addr", 86_400 * 30),
		set("ra", commonType, 30),
		set("c4", "ipv4_addr"),
		set("c6", "ipv6_addr"),
		set("one", commonType),
	];
	const commands = [declare([...objects, ...sets, meters])];
	expect(directBatch("t", commands, 1)).not.toBeNull();
	const listed = listing(true, commands, [declare(sets)]);
	expect(listed).toBe(listing(false, commands));
	expect(listed).toContain("ct count 1000");
});

test("what was counted stays when a counter is declared again", () => {
	listing(true, [declare(objects)]);
	const kernel = nftKernel(nftables, socket);
	command("nft", "add", "counter", "inet", "t", "k", "{", "packets", "7", "bytes", "9", "}");
	expect(kernel.run("t", [declare([{ kind: "counter", name: "k" }])])).toEqual({ ok: true });
	expect(command("nft", "list", "counter", "inet", "t", "k")).toContain("packets 7 bytes 9");
});

test("a transaction that the kernel refuses changes nothing, and the reason is in words", () => {
	listing(true, [declare(objects)]);
	const before = command("nft", "list", "ruleset");
	const result = nftKernel(nftables, socket).run("t", [
		flush("chain", "x_1"),
		flush("chain", "nowhere"),
		addRules("x_1", ["accept"]),
	]);
	expect(result).toMatchObject({ ok: false, error: expect.stringContaining("No such file or directory") });
	expect(command("nft", "list", "ruleset")).toBe(before);
});

test("what is deleted is gone, and no more", () => {
	const set: NftObject = { kind: "set", name: "s", type: "ipv4_addr", keys: "192.0.2.1" };
	const values = [{ verdict: "goto", chain: "x_1" }] as const;
	const map: NftObject = { ...set, kind: "map", name: "m", to: "verdict", values, leads: [0] };
	const deleted = [
		flush("chain", "x_3"),
		flush("chain", "x_4"),
		remove("map", "m"),
		remove("set", "s"),
		remove("chain", "x_1"),
		remove("chain", "x_2"),
		remove("counter", "l"),
		remove("quota", "q_1"),
	];
	expect(directBatch("t", deleted, 1)).not.toBeNull();
	const listed = listing(true, [declare([...objects, set, map])], deleted);
	expect(listed).toBe(listing(false, [declare([...objects, set, map])], deleted));
	expect(listed).not.toMatch(/x_1|x_2|map|set|counter l|q_1/);
	expect(listed).toContain("quota q_2 {\n\t\t3000 bytes used 2000 bytes");
	expect(listed).toContain("chain x_3");
});

test("answers to a large batch that was refused do not drown the next one's", () => {
	const many = Array.from({ length: 1000 }, (_, i): NftObject => ({ kind: "counter", name: `c_${i}` }));
	const kernel = nftKernel(nftables, socket);
	expect(kernel.run("t", [flush("chain", "gone"), declare(many)])).toMatchObject({ ok: false });
	command("nft", "add", "table", "inet", "t");
	expect(kernel.run("t", [declare(objects)])).toEqual({ ok: true });
});

test("what is too long for the send buffer is left to libnftables", () => {
	const many = Array.from({ length: 1000 }, (_, i) => chain(`x_${i}`, commented("drop", "p".repeat(127))));
	expect(directBatch("t", [declare(many)], 1)?.length).toBeGreaterThan(
		Number(readFileSync("/proc/sys/net/core/wmem_default", "utf8")),
	);
	expect(listing(true, [declare(many)])).toBe(listing(false, [declare(many)]));
});

test.each<[string, Command]>([
	["rules of other expressions", addRules("root", ["ip ttl 1 accept"])],
	["something behind a verdict", addRules("root", ["accept drop"])],
	["a group that is none", addRules("root", [logged({ ...log, group: 70_000 })])],
	["base chains", declare([{ ...chain("in"), hook: { hook: "input", priority: 0 } }])],
	["sets that forget", declare([{ kind: "set", name: "s", type: "ipv4_addr", timeout: 1, keys: "" }])],
])("%s are left to libnftables", (_, commanded) => {
	expect(directBatch("t", [flush("chain", "root"), commanded], 1)).toBeNull();
});

test("very many objects are loaded in several steps, and the same", () => {
	const count = Math.ceil(manyObjects / 2) + 1;
	const many = Array.from({ length: count }, (_, i): PlanObject[] => [
		{ kind: "counter", name: `c_${i}` },
		chain(`x_${i}`, counted(`c_${i}`), commented("drop", `policy-${i}`)),
	]).flat();
	const last = chain("top", "ip ttl 1 accept", goto("x_0"));
	const load = (direct: boolean) => {
		command("nft", "flush", "ruleset");
		const kernel = nftKernel(nftables, direct ? socket : null);
		kernel.run("t", [addTable]);
		let transactions = 0;
		const run = (...commands: readonly Command[]) => {
			transactions += 1;
			return kernel.run("t", commands);
		};
		expect(loadObjects(run, [...many, last], [declare([chain(ownershipMarker)])])).toEqual({ ok: true });
		expect(transactions).toBeGreaterThan(2);
		return command("nft", "list", "ruleset");
	};
	expect(load(true)).toBe(load(false));
});
