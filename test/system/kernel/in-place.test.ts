/** Elements of large sets that are changed where they are: the kernel holds then what loading all anew would have given it. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { parseCidr } from "../../../src/base/cidr.ts";
import type { Cidr } from "../../../src/base/model.ts";
import { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../src/enforcers/network/compile/plan.ts";
import { linkGroups, membersOf } from "../../../src/enforcers/network/parse/link-groups.ts";
import { nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { policyText, valid } from "../../engine/support/policy.ts";
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

const place = { file: "g.yaml", line: 1, column: 1 };

function block(text: string): Cidr {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
	return parsed.cidr;
}

/** What no step changes: enough for the sets to be large, with gaps that others fit into. */
const base = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.64/28`);
const base6 = Array.from({ length: 1000 }, (_, i) => `2001:db8:${i.toString(16)}::/64`);

const rules = (more = "") =>
	valid(policyText(`ingress:\n- from: [{group: bad}]\n- action: Audit\n  from: [{group: odd}]\n${more}`));

/** The plan of a policy that blocks one group and audits another. */
function planOf(bad: readonly string[], odd: readonly string[], policy = rules()): NetworkPlan {
	const group = (name: string, cidrs: readonly string[]) =>
		membersOf({ name, place, cidrs: cidrs.map((cidr) => ({ cidr: block(cidr), place })), except: [] }, null);
	const groups = [
		group("bad", [...base, ...base6, ...bad]),
		group("odd", ["192.0.2.0/24", "2001:db8:fffe::/64", ...odd]),
	];
	const linked = linkGroups(policy, new Map(groups.map((one) => [one.name, one])));
	const compiled = compileNetwork([linked.policy], options);
	if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
	return compiled.plan;
}

/** Every element of the table's maps with where it leads, in whatever order: chains of rules are named alike in all plans. */
function elements(table: string): string[] {
	const listed = command("nft", "-j", "list", "table", "inet", table);
	const { nftables: objects }: { nftables: { map?: { type: unknown; elem?: unknown[] } }[] } =
		JSON.parse(listed);
	return objects
		.flatMap(({ map }) => (map?.elem ?? []).map((element) => JSON.stringify([map?.type, element])))
		.sort();
}

const opened = (table: string) => new KernelTable(nftKernel(nftables, socket), table);

function expectAnew(plan: NetworkPlan): void {
	const anew = opened("anew");
	expect(anew.apply(plan).ok).toBe(true);
	expect(elements("changed")).toEqual(elements("anew"));
	expect(anew.remove().ok).toBe(true);
}

const edges = [
	...["0.0.0.0/1", "0.0.0.0/24", "0.0.0.1/32", "255.255.255.255/32", "255.255.255.0/24", "128.0.0.0/1"],
	...[
		"10.0.0.48/28",
		"10.0.0.80/28",
		"10.0.0.80/32",
		"10.0.1.0/24",
		"10.0.0.64/32",
		"10.0.0.64/29",
		"10.0.0.79/32",
	],
	...[
		"::/1",
		"::1/128",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		"2001:db8::/128",
		"2001:db8:0:1::/64",
	],
	...["2001:db8:0:8000::/64", "203.0.113.0/24"],
];

/** Those that touch nothing else. */
const apart = ["255.255.255.0/24", "::1/128", "2001:db8:0:8000::/64", "203.0.113.0/24"];

test("whatever comes and goes, at whatever edge, also back again", () => {
	const lists = fc.array(fc.tuple(fc.subarray(edges), fc.subarray(edges)), { minLength: 2, maxLength: 4 });
	fc.assert(
		fc.property(lists, (steps) => {
			command("nft", "flush", "ruleset");
			const table = opened("changed");
			expect(table.apply(planOf([], [])).ok).toBe(true);
			let now: readonly (readonly string[])[] = [];
			for (const [bad, odd] of [...steps, [[], []] as const]) {
				const plan = planOf(bad, odd);
				const applied = table.apply(plan);
				expect(applied.ok).toBe(true);
				expect(table.collect()).toBe("");
				expectAnew(plan);
				// What lies across what was there is loaded anew, as is what a half of all addresses leaves nothing of.
				const plain = [...now, bad, odd].flat().every((edge) => apart.includes(edge));
				if (plain && applied.ok) expect(applied.loaded).toBeLessThan(3);
				now = [bad, odd];
			}
		}),
		{ numRuns: 2 },
	);
});

test("a change of elements alone changes nothing else: names, chains and counters stay", () => {
	const names = () => command("nft", "list", "chains", "inet").replaceAll(/\s+/g, " ");
	const table = opened("changed");
	table.apply(planOf(["203.0.113.0/24", "10.0.0.80/28"], []));
	const before = names();
	const other = planOf(["203.0.112.0/25", "198.51.100.0/24", "10.0.0.80/28"], []);
	expect(table.apply(other)).toEqual({ ok: true, loaded: 1 });
	expect(names()).toBe(before);
	expect(table.apply(other)).toEqual({ ok: true, loaded: 0 });
	expectAnew(other);
});

test("what lies across what is in force is loaded anew: the kernel would find neither while both are in a set", () => {
	const table = opened("changed");
	table.apply(planOf(["203.0.113.0/24"], []));
	const steps: readonly (readonly [string[], string[]])[] = [
		[["203.0.113.0/25"], []],
		[["203.0.113.0/24"], []],
		[["203.0.113.0/24"], ["203.0.113.64/26"]],
		[["203.0.113.0/24"], ["203.0.112.0/24"]],
		[["203.0.112.0/23"], []],
	];
	for (const [bad, odd] of steps) {
		const applied = table.apply(planOf(bad, odd));
		expect(applied.ok && applied.loaded).toBeGreaterThan(1);
		expect(table.collect()).toBe("");
		expectAnew(planOf(bad, odd));
	}
});

test("names that could not be collected are not taken for what they say either", () => {
	const nf = nftKernel(nftables, socket);
	let refuses = true;
	const table = new KernelTable(
		{
			...nf,
			run: (name, commands) =>
				refuses && commands.some((command) => command.do === "delete")
					? { ok: false, error: "no memory" }
					: nf.run(name, commands),
		},
		"changed",
	);
	const [first, second] = [["203.0.113.0/24"], ["198.51.100.0/24"]];
	const other = planOf(second, [], rules("- ports: [{protocol: TCP, port: 22}]"));
	expect(table.apply(planOf(first, [])).ok).toBe(true);
	expect(table.apply(planOf(second, []))).toEqual({ ok: true, loaded: 1 });
	expect(table.apply(other).ok).toBe(true);
	expect(table.collect()).toBe("no memory");
	const before = command("nft", "list", "table", "inet", "changed");
	expect(table.apply(planOf(first, []))).toMatchObject({ ok: false, error: "no memory" });
	expect(command("nft", "list", "table", "inet", "changed")).toBe(before);
	refuses = false;
	expect(table.apply(planOf(first, [])).ok).toBe(true);
	expect(table.collect()).toBe("");
	expectAnew(planOf(first, []));
});

test("names whose content was changed in place are not taken for what they say", () => {
	const [first, second] = [["203.0.113.0/24"], ["198.51.100.0/24"]];
	const other = rules("- ports: [{protocol: TCP, port: 22}]");
	const table = opened("changed");
	for (const plan of [
		planOf(first, []),
		planOf(second, []),
		planOf(first, [], other),
		planOf(second, [], other),
	]) {
		expect(table.apply(plan).ok).toBe(true);
		expect(table.collect()).toBe("");
		expectAnew(plan);
	}
	// The same after somebody else changed the table.
	expect(table.apply(planOf(first, [], other)).ok).toBe(true);
	expect(table.guard(planOf(first, [], other), true).ok).toBe(true);
	expect(table.apply(planOf(second, [], other)).ok).toBe(true);
	expect(table.collect()).toBe("");
	expectAnew(planOf(second, [], other));
});
