/** Sets, maps and lookups that go to the kernel without libnftables are in it as libnftables would have put them there. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { loadObjects } from "../../../src/enforcers/network/apply/load-objects.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, PlanObject } from "../../../src/enforcers/network/compile/plan.ts";
import { ownershipMarker } from "../../../src/enforcers/network/names.ts";
import {
	addElements,
	addTable,
	type Command,
	declare,
	flush,
} from "../../../src/kernel/nftables/commands.ts";
import { directBatch, isPlain } from "../../../src/kernel/nftables/direct.ts";
import { nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import type { MapValue, NftMap, NftSet, Rule } from "../../../src/kernel/nftables/objects.ts";
import { failsafes, policySets } from "../../enforcers/network/compile/generate.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	if (!opened.ok) throw new Error(opened.reason);
	nftables = opened.nftables;
	const made = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, sendBuffer: 16 * 1024 * 1024 });
	if (!made.ok) throw new Error(made.error);
	socket = made.socket;
});
afterAll(() => {
	socket.close();
	nftables.close();
	network.leave();
});
afterEach(() => void command("nft", "flush", "ruleset"));

const goto = (chain: string): MapValue => ({ verdict: "goto", chain });
const set = (name: string, type: string, keys: readonly string[], more: Partial<NftSet> = {}): NftSet => ({
	kind: "set",
	name,
	type,
	keys: keys.join("\n"),
	...more,
});
const map = (
	name: string,
	type: string,
	keys: readonly string[],
	values: readonly MapValue[],
	more: Partial<NftMap> = {},
): NftMap => ({
	...set(name, type, keys),
	kind: "map",
	to: "verdict",
	values,
	leads: keys.map((_, i) => i % values.length),
	...more,
});
const chain = (name: string, ...rules: Rule[]): PlanObject => ({ kind: "chain", name, rules });
const interval = { flags: ["interval"] } as const;
const filled = { flags: ["dynamic", "timeout"], timeout: 300, size: 65_536 } as const;
const flow = "ipv4_addr . inet_proto . inet_service";

const objects: readonly PlanObject[] = [
	{ kind: "counter", name: "c" },
	chain("x", "drop"),
	chain("y", "accept"),
	set("nothing", "ipv4_addr", [], interval),
	set("hosts", "ipv4_addr", ["192.0.2.1", "192.0.2.0"], { size: 5 }),
	set("blocks", "ipv4_addr", ["10.0.0.0/8", "192.0.2.1", "192.0.2.2", "198.51.100.7-198.51.100.9"], interval),
	set("from_zero", "ipv4_addr", ["0.0.0.0/1", "128.0.0.0-128.0.0.3"], interval),
	set("to_the_end", "ipv4_addr", ["255.255.255.0/24"], interval),
	set("ending", "ipv4_addr", ["255.255.255.255"], interval),
	set("whole", "ipv4_addr", ["0.0.0.0/0"], interval),
	set("six", "ipv6_addr", ["fe80::/10", "2001:db8::1", "2001:db8::5-2001:db8::7", "ffff::/16"], interval),
	set("services", "inet_service", ["22", "80-90", "65535"], interval),
	map("exact", flow, ["10.0.0.0 . 6 . 80", "10.0.0.4 . 17 . 53"], [goto("x"), goto("y")], { size: 2 }),
	map("ranges", flow, ["10.0.0.0/30 . 6 . 80", "10.0.0.9-10.0.0.12 . 6 . 1-2"], [goto("x")], interval),
	map("six_ranges", "ipv6_addr . inet_proto", ["2001:db8::/32 . 6", "fe80::1 . 17"], [goto("y")], interval),
	map("types", "ipv4_addr . icmp_type", ["10.0.0.0/8 . 8", "11.0.0.0/8 . 0-3"], [goto("x")], interval),
	map(
		"m_tree",
		"ipv4_addr",
		["10.0.0.0/30", "10.0.0.4-10.0.0.9", "250.0.0.0-255.255.255.255"],
		[goto("x"), goto("y")],
		interval,
	),
	map("jumps", "inet_service", ["22"], [{ verdict: "jump", chain: "y" }]),
	set("seen4", "iface_index . ipv4_addr . inet_proto . inet_service", [], filled),
	set("seen6", "iface_index . ipv6_addr . inet_proto . inet_service", [], { ...filled, timeout: 1 }),
	set("seen_guests", "iface_index . ipv4_addr . ipv4_addr . inet_proto . inet_service", [], filled),
	set("seen_others", "iface_index . ipv6_addr . inet_proto", [], filled),
	map("users", "uid", ["0", "1000", "4294967294"], [goto("x"), goto("y")], { size: 3 }),
	map("groups", "gid", ["65534"], [goto("x")], { size: 1 }),
	set("units", "cgroupsv2", [], { size: 256 }),
	set("sent4", "ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service", [], {
		...filled,
		timeout: 1,
	}),
	set("sent6", "ipv6_addr . ipv6_addr . inet_proto . inet_service . inet_service", [], {
		...filled,
		timeout: 1,
	}),
	map("counted", flow, ["10.0.0.0 . 6 . 80"], [{ counter: "c", comment: "policy-1 ingress[0] Allow" }], {
		to: "counter",
		size: 1,
	}),
];

const lookups: readonly Rule[] = [
	["ip saddr vmap @", "m_tree"],
	["ip daddr @", "blocks", " return"],
	["ip6 saddr @", "six", " return"],
	["ip saddr @", "blocks", " goto ", "x"],
	["meta l4proto 47 ip6 saddr @", "six", " goto ", "x"],
	["ip saddr & 255.255.255.252 . meta l4proto . th dport vmap @", "exact"],
	["ip saddr . meta l4proto . th dport vmap @", "ranges"],
	["ip6 daddr . meta l4proto vmap @", "six_ranges"],
	["meta l4proto 47 ip saddr vmap @", "m_tree"],
	["counter name ip daddr . meta l4proto . th dport map @", "counted", " accept"],
	["counter name ip daddr & 255.255.255.0 . meta l4proto . th dport map @", "counted", " accept"],
	["meta l4proto < 3 jump ", "y"],
	["meta l4proto 58 jump ", "y"],
	["meta nfproto ipv4 goto ", "x"],
	["meta nfproto ipv6 goto ", "x"],
	["tcp flags & syn == 0 ct state new goto ", "x"],
	"tcp flags & (syn | ack) != syn return",
	[
		"tcp flags & (syn | ack) == syn update @",
		"seen4",
		" { meta iif . ip saddr . meta l4proto . th dport counter } return",
	],
	["ct state new update @", "seen6", " { meta oif . ip6 daddr . meta l4proto . th sport counter } return"],
	[
		"ct state new meta l4proto 17 update @",
		"seen_guests",
		" { meta iif . ip saddr . ip daddr . meta l4proto . ct original proto-dst counter } return",
	],
	["ct state new update @", "seen_others", " { meta oif . ip6 daddr . meta l4proto counter } return"],
	'ct state invalid counter name "c" drop',
	"ct state invalid drop",
	"ct state established accept",
	"meta l4proto != 1 ct state related accept",
	"udp sport 67 udp dport 68 accept",
	"udp dport 546 ip6 daddr fe80::/10 accept",
	"ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept",
	'meta oif != 0 counter name "c"',
	'meta iif != 0 counter name "c" accept comment "forwarded"',
	"tcp dport 22 accept",
	'ip saddr 10.0.0.0/8 tcp dport 22 counter name "c" accept',
	"ip saddr 192.0.2.7 accept",
	"ip daddr 192.0.2.128/25 accept",
	"ip6 daddr 2001:db8::/32 accept",
	'meta oif != 0 counter name "c" accept',
	'meta iif != 0 counter name "c"',
	['meta iifkind "bridge" iifname != @', "interfaces", " jump ", "y"],
	['meta oifkind "bridge" oifname @', "interfaces", " goto ", "x"],
	"icmp type { destination-unreachable, time-exceeded, parameter-problem } ct state related accept",
	"icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } ct state related accept",
	[
		"meta l4proto { 132, 6, 17 } ip saddr & 255.255.255.252 . meta l4proto . ct original proto-dst vmap @",
		"exact",
	],
	["ct status dnat goto ", "x"],
	["meta skuid vmap @", "users"],
	["meta skgid vmap @", "groups"],
	["socket cgroupv2 level 1 @", "units", " goto ", "x"],
	["socket cgroupv2 level 6 @", "units", " jump ", "y"],
	["goto ", "x"],
];

/** Left to libnftables, and there before. */
const interfaces = set("interfaces", "ifname", ['"eth0"']);

/** The table after these objects, as nft lists it and as the kernel's own expressions. */
function loaded(
	direct: boolean,
	given: readonly PlanObject[],
): { readonly text: string; readonly code: string } {
	command("nft", "flush", "ruleset");
	const kernel = nftKernel(nftables, direct ? socket : null);
	expect(kernel.run("t", [addTable])).toEqual({ ok: true });
	expect(kernel.run("t", [declare([interfaces])])).toEqual({ ok: true });
	expect(kernel.run("t", [declare(given)])).toEqual({ ok: true });
	return listed();
}

function listed(): { readonly text: string; readonly code: string } {
	const text = command("nft", "list", "ruleset");
	// Rules are numbered as they come, and sets and the elements of a hash table have no order. libnftables turns round the
	// pairs of bytes of a protocol, which has one byte and so none.
	const code = command("nft", "--debug=netlink", "list", "ruleset")
		.replaceAll(/^(inet t \w+)(?: \d+)+/gmu, "$1")
		.replaceAll(/^ +\[ byteorder reg \d+ = hton\(reg \d+, 2, 1\) \]\n/gmu, "")
		.replaceAll(/(?:^inet t @.*\n(?:^\telement .*\n)*)+/gmu, sortSets);
	return { text, code };
}

/** Sets one after the other, each a line with its name and one for each element, by name, and their elements in order. */
function sortSets(sets: string): string {
	const sorted = sets.split(/^(?=inet t @)/mu).map((set) => {
		const [name, ...elements] = set.trimEnd().split("\n");
		return [name, ...elements.sort(), ""].join("\n");
	});
	return sorted.sort().join("");
}

test("sets and maps are the same", () => {
	for (const object of objects) expect([object.name, isPlain(object)]).toEqual([object.name, true]);
	expect(loaded(true, objects)).toEqual(loaded(false, objects));
});

test("lookups and matches are the same", () => {
	const given = [...objects, ...lookups.map((rule, i) => chain(`l_${i}`, rule))];
	for (const object of given) expect([object.name, isPlain(object)]).toEqual([object.name, true]);
	expect(directBatch("t", [declare(given)], 1)).not.toBeNull();
	expect(loaded(true, given)).toEqual(loaded(false, given));
});

test("a set of interfaces is emptied and filled the same", () => {
	const names = ["cni0", "eth0.100", "a-name-of-15-by"];
	const changed = [
		flush("set", "interfaces"),
		addElements(
			"interfaces",
			names.map((name) => `"${name}"`),
		),
	];
	expect(directBatch("t", changed, 1)).not.toBeNull();
	const after = (direct: boolean) => {
		loaded(true, objects);
		expect(nftKernel(nftables, direct ? socket : null).run("t", changed)).toEqual({ ok: true });
		return listed();
	};
	expect(after(true)).toEqual(after(false));
	expect(after(true).text).toContain('"eth0.100"');
});

test("other elements are left to libnftables", () => {
	expect(directBatch("t", [addElements("hosts", ["192.0.2.9"])], 1)).toBeNull();
});

test.each<[string, PlanObject]>([
	["elements of a set that rules fill", set("s", "ipv4_addr", ["10.0.0.1"], filled)],
	["a link's number", set("s", "iface_index", ["1"])],
	["keys of interfaces", set("s", "ifname", ['"eth0"'])],
	["sets that forget", set("s", "ipv4_addr", [], { timeout: 1 })],
	["intervals that meet", set("s", "ipv4_addr", ["10.0.0.0/8", "10.1.0.0/16"], interval)],
	["blocks without intervals", set("s", "ipv4_addr", ["10.0.0.0/8"])],
	["host bits", set("s", "ipv4_addr", ["10.0.0.1/8"], interval)],
	["half an address", set("s", "ipv4_addr", ["10.0.0"])],
	["a leading zero", set("s", "ipv4_addr", ["10.0.0.01"])],
	["another family", set("s", "ipv6_addr", ["10.0.0.1"])],
	["ports beyond", set("s", "inet_service", ["65536"])],
	["a range that is none", set("s", "inet_service", ["7-6"], interval)],
	["a part too many", set("s", "ipv4_addr", ["10.0.0.1 . 6"])],
	["a part too few", set("s", "ipv4_addr . inet_proto", ["10.0.0.1"])],
	["interfaces", chain("x", 'iifname "eth0" accept')],
	["sets of ports", chain("x", "tcp dport { 22, 80 } accept")],
	["types that are none", chain("x", "icmp type { constructor } accept")],
	["protocols beyond", chain("x", "meta l4proto { 6, 256 } accept")],
	["ports of both protocols", chain("x", "tcp dport 22 udp dport 22 accept")],
	["addresses of both families", chain("x", "ip saddr 10.0.0.1 ip6 saddr ::1 accept")],
	["comparisons that libnftables may join", chain("x", "ip saddr 10.0.0.1 ip daddr 10.0.0.2 accept")],
	["host bits of a match", chain("x", "ip saddr 10.0.0.1/9 accept")],
	["a name too few", chain("x", ["goto "])],
	["a name too many", chain("x", ["goto ", "y", "", "z"])],
	["a name in the text", chain("x", "goto \0")],
])("%s: left to libnftables", (_, object) => {
	expect(isPlain(object)).toBe(false);
	expect(directBatch("t", [declare([object])], 1)).toBeNull();
});

/** What a plan's table is after a change from another plan, with or without libnftables. */
function swapped(direct: boolean, plans: readonly NetworkPlan[]) {
	command("nft", "flush", "ruleset");
	const kernel = nftKernel(nftables, direct ? socket : null);
	const table = new KernelTable(kernel, "t");
	for (const plan of plans) {
		expect(table.apply(plan)).toMatchObject({ ok: true });
		expect(table.collect()).toBe("");
	}
	return listed();
}

test("plans of random policies are the same, one after the other", () => {
	fc.assert(
		fc.property(
			policySets,
			policySets,
			failsafes,
			fc.constantFrom(1, 512),
			fc.constantFrom({}, { guests: { forwarded: "audit", interfaces: [], uplinks: ["vmbr0"] } } as const),
			(before, after, failsafe, hashFrom, guests) => {
				const plans = [before, after].flatMap((policies) => {
					const compiled = compileNetwork(policies, { ...options, ...guests, failsafe, hashFrom });
					return compiled.ok ? [compiled.plan] : [];
				});
				expect(swapped(true, plans)).toEqual(swapped(false, plans));
			},
		),
		{ numRuns: 25 },
	);
});

test("a large map is loaded apart, and what leads to it behind it", () => {
	const keys = Array.from({ length: 3000 }, (_, i) => `10.0.${i >> 8}.${i & 255} . 6 . ${1 + i}`);
	const many = map("many", flow, keys, [goto("x")], { size: keys.length });
	const odd = chain("odd", 'iifname "eth0" accept');
	const given = [
		chain("x", "drop"),
		many,
		odd,
		chain("behind", ["goto ", "odd"]),
		chain("look", ["ip saddr . meta l4proto . th dport vmap @", "many"]),
	];
	const load = (direct: boolean) => {
		command("nft", "flush", "ruleset");
		const kernel = nftKernel(nftables, direct ? socket : null);
		const ours: Command = declare([{ kind: "chain", name: ownershipMarker, rules: [] }]);
		kernel.run("t", [addTable, ours]);
		const texts: string[] = [];
		const run = (...commands: readonly Command[]) => {
			if (directBatch("t", commands, 1) === null) texts.push(JSON.stringify(commands));
			return kernel.run("t", commands);
		};
		expect(loadObjects(run, given, [ours], kernel.room)).toEqual({ ok: true });
		if (direct) expect(texts.filter((text) => text.includes("many"))).toEqual([]);
		return listed();
	};
	expect(load(true)).toEqual(load(false));
});
