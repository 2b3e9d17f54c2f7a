/**
 * Limits of rules, with real packets at and over the edge: both families, both forms of ruleset, what the host receives and
 * what it forwards. A unit is a day, so that nothing depends on how long a test takes.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { limitedSources } from "../../../src/enforcers/network/compile/limits.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import {
	type CompiledRule,
	limitRules,
	type NetworkPlan,
} from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import { parsePolicies } from "../../enforcers/network/compile/limited.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { countersOf, freshTracking } from "./property-support.ts";

const table = "kubearmor";

let lab: GuestLab;
let host: Prober;
let guest: Prober;
let kernel: KernelTable;
let run = 0;

beforeAll(async () => {
	lab = await GuestLab.create(["eth0"]);
	[host, guest] = [new Prober(lab.lab), new Prober(lab.lab, lab.via)];
	kernel = kernelTable(lab.lab.guarded, table);
});
afterAll(() => {
	host[Symbol.dispose]();
	guest[Symbol.dispose]();
	lab[Symbol.dispose]();
});

interface Options {
	readonly form?: "concatenated" | "nested";
	readonly enforcement?: "audit" | "enforce";
	readonly staged?: string;
	readonly forwarded?: "audit" | "enforce";
	/** Connection tracking and the sets go on. */
	readonly again?: boolean;
}

/** Puts rules of ingress in force. */
function enforce(
	rules: string,
	{ form = "concatenated", staged, again, ...others }: Options = {},
): NetworkPlan {
	if (again !== true) {
		run += 1;
		freshTracking(lab.lab.guarded, run);
		lab.lab.guarded.try(["nft", "delete", "table", "inet", table]);
		kernel = kernelTable(lab.lab.guarded, table);
	}
	const compiled = compileNetwork(
		parsePolicies(rules, "in-force"),
		{
			epoch: `e${run}`,
			form,
			hashFrom,
			posture: "block",
			allowlistScope: "direction",
			failsafe: { ingress: [], egress: [] },
			essentials: true,
			guests: { forwarded: others.forwarded ?? "enforce", interfaces: [], uplinks: [] },
			nflogGroup: 4242,
			maxElements: 1_000_000,
			logLimit: { rate: 500, burst: 1000 },
			enforcement: others.enforcement ?? "enforce",
		},
		staged === undefined ? [] : parsePolicies(staged, "staged"),
	);
	if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
	expect(kernel.apply(compiled.plan)).toMatchObject({ ok: true });
	expect(kernel.collect()).toBe("");
	return compiled.plan;
}

/** So many connections of one source; each has a source port of its own. */
function connections(protocol: "tcp" | "udp", remote: string, port: number, count: number, from = 2000) {
	return Array.from(
		{ length: count },
		(_, i): Probe => ({ direction: "ingress", protocol, remote, port, sourcePort: from + i }),
	);
}

/** How many of them pass: the first ones, and no other. */
async function passing(probes: readonly Probe[], prober: Prober = host): Promise<number> {
	const passed = await prober.send(probes);
	const first = passed.indexOf(false);
	const count = first < 0 ? passed.length : first;
	expect(passed.slice(count)).not.toContain(true);
	return count;
}

const toGuest = (probes: readonly Probe[]) =>
	probes.map((probe) => ({ ...probe, local: lab.address(probe.remote.includes(":") ? 6 : 4) }));

function counted(rule: CompiledRule | undefined): number {
	return countersOf(lab.lab.guarded, table).get(rule?.counter ?? "") ?? -1;
}

const perSource = `
- action: Allow
  ports: [{protocol: TCP, port: 22}]
  rateLimit: {connections: 1/day, burst: 3}
- action: Allow
  ports: [{protocol: UDP, port: 53}]
  connectionLimit: {max: 2}
`;
const perRule = `
- action: Allow
  ports: [{protocol: TCP, port: 22}]
  rateLimit: {connections: 1/day, burst: 4, per: rule}
- action: Allow
  ports: [{protocol: UDP, port: 53}]
  connectionLimit: {max: 3, per: rule}
`;

describe.each(["concatenated", "nested"] as const)("%s", (form) => {
	test("each source has its own, and of IPv6 each block", async () => {
		enforce(perSource, { form });
		expect(await passing(connections("tcp", "10.1.0.1", 22, 6))).toBe(3);
		expect(await passing(connections("tcp", "10.1.0.2", 22, 3))).toBe(3);
		expect(await passing(connections("tcp", "2001:db8:1::1", 22, 2))).toBe(2);
		// Another address of the same /64, and one of the next.
		expect(await passing(connections("tcp", "2001:db8:1::f:2", 22, 3))).toBe(1);
		expect(await passing(connections("tcp", "2001:db8:1:1::1", 22, 4))).toBe(3);
		expect(await passing(connections("udp", "10.1.0.1", 53, 5))).toBe(2);
		expect(await passing(connections("udp", "10.1.0.3", 53, 1))).toBe(1);
		expect(await passing(connections("udp", "2001:db8:2::1", 53, 5))).toBe(2);
		// What passed goes on to pass, and what did not is not let in by trying again.
		expect(await passing(connections("udp", "10.1.0.1", 53, 2))).toBe(2);
		expect(await passing(connections("udp", "10.1.0.1", 53, 5, 2002))).toBe(0);
	});

	test("the whole rule has one for both families, for the host and its guests", async () => {
		const plan = enforce(perRule, { form });
		expect(await passing(connections("tcp", "10.1.0.1", 22, 2))).toBe(2);
		expect(await passing(toGuest(connections("tcp", "10.1.0.1", 22, 1)), guest)).toBe(1);
		expect(await passing(toGuest(connections("tcp", "2001:db8:1::1", 22, 2)), guest)).toBe(1);
		expect(await passing(connections("tcp", "10.1.0.2", 22, 2))).toBe(0);
		expect(await passing(toGuest(connections("udp", "10.1.0.1", 53, 2)), guest)).toBe(2);
		expect(await passing(connections("udp", "2001:db8:1::1", 53, 3))).toBe(1);
		const [rate, open] = plan.rules;
		expect(counted(rate)).toBe(4);
		expect(counted(rate?.limits?.[0]?.exceeded)).toBe(3);
		expect(counted(open)).toBe(3);
		expect(counted(open?.limits?.[0]?.exceeded)).toBe(2);
	});

	test("a more specific rule decides in its place, and its flows are not counted", async () => {
		enforce(
			`${perSource}
- action: Allow
  from: [{ipBlock: {cidr: 10.1.0.0/24}}]
  ports: [{protocol: TCP, port: 22}]
- action: Block
  from: [{ipBlock: {cidr: 10.2.0.0/24}}]
  ports: [{protocol: TCP, port: 22}]
`,
			{ form },
		);
		expect(await passing(connections("tcp", "10.1.0.1", 22, 6))).toBe(6);
		expect(await passing(connections("tcp", "10.2.0.1", 22, 2))).toBe(0);
		expect(await passing(connections("tcp", "10.3.0.1", 22, 4))).toBe(3);
	});

	test("both limits hold, and what the rate refuses is no open connection", async () => {
		const plan = enforce(
			`
- action: Allow
  ports: [{protocol: UDP, port: 53}]
  rateLimit: {connections: 1/day, burst: 4}
  connectionLimit: {max: 3, per: rule}
`,
			{ form },
		);
		expect(await passing(connections("udp", "10.1.0.1", 53, 6))).toBe(3);
		expect(await passing(connections("udp", "10.1.0.2", 53, 1))).toBe(0);
		const [rate, open] = plan.rules[0]?.limits ?? [];
		// The fourth of the first source was within its rate.
		expect([counted(open?.exceeded), counted(rate?.exceeded)]).toEqual([2, 2]);
	});
});

test("Audit lets pass what is beyond, and counts it", async () => {
	const plan = enforce(`
- action: Allow
  ports: [{protocol: TCP, port: 22}]
  rateLimit: {connections: 1/day, burst: 2}
  exceedAction: Audit
- action: Audit
  ports: [{protocol: TCP, port: 80}]
  rateLimit: {connections: 1/day, burst: 2}
`);
	expect(await passing(connections("tcp", "10.1.0.1", 22, 5))).toBe(5);
	expect(counted(plan.rules[0])).toBe(2);
	expect(counted(plan.rules[0]?.limits?.[0]?.exceeded)).toBe(3);
	expect(await passing(connections("tcp", "10.1.0.1", 80, 5))).toBe(2);
	expect(counted(plan.rules[1])).toBe(2);
});

test("under `enforcement: audit` and `guests.forwarded: audit` nothing is refused, and all is counted", async () => {
	const audited = enforce(perSource, { enforcement: "audit" });
	expect(await passing(connections("tcp", "10.1.0.1", 22, 5))).toBe(5);
	expect(counted(audited.rules[0]?.limits?.[0]?.exceeded)).toBe(2);
	const spared = enforce(perSource, { forwarded: "audit" });
	expect(await passing(toGuest(connections("tcp", "10.1.0.1", 22, 5)), guest)).toBe(5);
	expect(await passing(connections("tcp", "10.1.0.1", 22, 1, 3000))).toBe(0);
	const exceeded = spared.rules[0]?.limits?.[0]?.exceeded;
	expect(exceeded).toMatchObject({ action: "Block", sparesForwarded: true });
	expect(counted(exceeded)).toBe(3);
});

test("a staged limit refuses nothing, and counts what it would", async () => {
	const plan = enforce("\n- {action: Allow}\n", { staged: perSource });
	expect(await passing(connections("tcp", "10.1.0.1", 22, 5))).toBe(5);
	expect(await passing(toGuest(connections("udp", "2001:db8::1", 53, 5)), guest)).toBe(5);
	const told = plan.staged?.rules ?? [];
	const of = (index: number) =>
		told.filter((rule) => rule.index === index && rule.limit?.reason === "exceeded");
	expect(of(0).map(counted)).toEqual([2]);
	expect(of(1).map(counted)).toEqual([3]);
});

test("a set without room refuses what an Allow would let in, and lets pass what an Audit watches", async () => {
	const plan = enforce(`
- action: Allow
  ports: [{protocol: TCP, port: 22}]
  rateLimit: {connections: 1/day, burst: 2}
- action: Allow
  ports: [{protocol: TCP, port: 23}]
  rateLimit: {connections: 1/day, burst: 2}
  exceedAction: Audit
- action: Audit
  ports: [{protocol: TCP, port: 80}]
  rateLimit: {connections: 1/day, burst: 2}
- action: Allow
  ports: [{protocol: UDP, port: 53}]
  connectionLimit: {max: 2}
`);
	expect(await passing(connections("tcp", "10.1.0.1", 22, 1))).toBe(1);
	const sets = plan.objects.filter(({ kind, name }) => kind === "set" && /^limit_\w+_4$/.test(name));
	const addresses = Array.from({ length: limitedSources }, (_, i) => `172.16.${i >> 8}.${i & 255}`);
	const limits = plan.rules.flatMap((rule) => rule.limits ?? []);
	const rates = sets.filter(({ name }) =>
		limits.some(({ set, written }) => name === `${set}_4` && "burst" in written),
	);
	for (const { name } of rates) {
		// One has an element already.
		const held = addresses.slice(name === `${limits[0]?.set}_4` ? 1 : 0);
		lab.lab.guarded.nft(`add element inet ${table} ${name} { ${held.join(", ")} }`);
	}
	// Who is known is counted on.
	expect(await passing(connections("tcp", "10.1.0.1", 22, 3, 3000))).toBe(1);
	expect(await passing(connections("tcp", "10.1.0.2", 22, 3))).toBe(0);
	expect(await passing(connections("tcp", "10.1.0.2", 23, 3))).toBe(3);
	expect(await passing(connections("tcp", "10.1.0.2", 80, 3))).toBe(3);
	// The other family has a set of its own.
	expect(await passing(connections("tcp", "2001:db8::1", 22, 3))).toBe(2);
	const full = plan.rules.map((rule) => rule.limits?.[0]?.full);
	const packets = countersOf(lab.lab.guarded, table);
	expect(full.slice(0, 3).map((rule) => packets.get(rule?.counter ?? ""))).toEqual([3, 3, 3]);
	expect(packets.get(plan.rules[0]?.limits?.[0]?.exceeded.counter ?? "")).toBe(3);
	expect(full.map((rule) => rule?.action)).toEqual(["Block", "Audit", "Audit", "Block"]);
});

test("what was used stays used over a reload, while the rule and the limit stay the same", async () => {
	const first = enforce(perSource);
	expect(await passing(connections("tcp", "10.1.0.1", 22, 2))).toBe(2);
	expect(await passing(connections("udp", "10.1.0.1", 53, 2))).toBe(2);
	const second = enforce(`${perSource}\n- {action: Allow, ports: [{protocol: TCP, port: 443}]}\n`, {
		again: true,
	});
	expect(second.roots).not.toEqual(first.roots);
	expect(await passing(connections("tcp", "10.1.0.1", 22, 3, 3000))).toBe(1);
	expect(await passing(connections("udp", "10.1.0.1", 53, 3, 3000))).toBe(0);
	// Another action beyond the limit is no other limit; another burst is.
	enforce(perSource.replace("burst: 3}", "burst: 3}\n  exceedAction: Audit"), { again: true });
	expect(await passing(connections("tcp", "10.1.0.1", 22, 2, 4000))).toBe(2);
	enforce(perSource, { again: true });
	expect(await passing(connections("tcp", "10.1.0.1", 22, 2, 5000))).toBe(0);
	enforce(perSource.replace("burst: 3", "burst: 1"), { again: true });
	expect(await passing(connections("tcp", "10.1.0.1", 22, 2, 6000))).toBe(1);
	// Of limits that nobody has any more nothing is left.
	const plan = enforce("\n- {action: Allow}\n", { again: true });
	expect(plan.rules.flatMap(limitRules)).toEqual([]);
	expect(lab.lab.guarded.run(["nft", "list", "sets"])).not.toContain("limit_");
});

test("reloads under way give no sender more than it has, and take nothing away", async () => {
	const rules = `
- action: Allow
  ports: [{protocol: TCP, port: 22}]
  rateLimit: {connections: 1000/day, burst: 10000}
`;
	enforce(rules);
	const count = 30_000;
	const sources = ["10.1.0.1", "2001:db8:1::1"];
	const sent = host.send(sources.flatMap((source) => connections("tcp", source, 22, count, 10_000)));
	let reloads = 0;
	const done = sent.then(() => true);
	while (!(await Promise.race([done, Bun.sleep(1).then(() => false)]))) {
		reloads += 1;
		enforce(`${rules}\n- {action: Audit, ports: [{protocol: UDP, port: ${reloads}}]}\n`, { again: true });
	}
	const passed = await sent;
	expect(reloads).toBeGreaterThan(1);
	const perSource = sources.map((_, i) => passed.slice(i * count, (i + 1) * count).filter(Boolean).length);
	expect(perSource).toEqual([10_000, 10_000]);
});
