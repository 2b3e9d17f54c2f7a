/**
 * Random policies, some of them staged, and real packets that the host forwards to and from a guest, or is sent itself.
 * What is staged changes no packet's fate; and what it is counted to have blocked is just what is blocked more once the
 * same policies are enforced, rule by rule, in both forms of ruleset.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { CompiledRule, RulesetForm } from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import type { NetworkPolicy } from "../../../src/enforcers/network/model.ts";
import { failsafes, holdingFor, packets, scopedSets } from "../../enforcers/network/compile/generate.ts";
import { judge, type OracleOptions, type OraclePacket } from "../../enforcers/network/compile/oracle.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { addressText, countersOf, freshTracking, routable } from "./property-support.ts";

const table = "kubearmor";
const interfaces = ["eth0", "eth1", "eth", "eth9", "e", "wlan0", "x"];
const runs = Number(process.env.PORTWARD_PROPERTY_RUNS ?? 8);
const packetsPerRun = 200;

interface Sent {
	readonly packet: OraclePacket;
	readonly way: "host" | "guests";
}

interface Bench {
	readonly form: RulesetForm;
	readonly lab: GuestLab;
	readonly host: Prober;
	readonly guest: Prober;
	readonly kernel: KernelTable;
}

const benches: Bench[] = [];

beforeAll(async () => {
	for (const form of ["concatenated", "nested"] as const) {
		const lab = await GuestLab.create(interfaces);
		// Of many guests' packets to one remote end without ports, each is a flow of its own.
		const leaving = lab.lab.links.flatMap((link, i) => [
			`ip saddr ${lab.source(4, link)} snat ip to 198.19.1.${i}`,
			`ip6 saddr ${lab.source(6, link)} snat ip6 to fd99:19:1::${i}`,
		]);
		lab.lab.guarded.nft(
			`table inet engine { chain post { type nat hook postrouting priority srcnat; ${leaving.join("; ")}; }\n}`,
		);
		const [host, guest] = [new Prober(lab.lab), new Prober(lab.lab, lab.via)];
		benches.push({ form, lab, host, guest, kernel: kernelTable(lab.lab.guarded, table) });
	}
});
afterAll(() => {
	for (const { lab, host, guest } of benches) {
		host[Symbol.dispose]();
		guest[Symbol.dispose]();
		lab[Symbol.dispose]();
	}
});

function toProbe(lab: GuestLab, { packet, way }: Sent): Probe {
	const { protocol, source, direction, family } = packet;
	const icmp = protocol === 1 || protocol === 58;
	const local =
		direction === "ingress" ? lab.address(family) : lab.source(family, lab.lab.link(packet.interface));
	return {
		direction,
		// Without ports there is one flow for each pair of hosts: each direction has its own number.
		protocol: protocol ?? (direction === "ingress" ? 251 : 252),
		...(icmp && source !== null ? { icmp: { type: source } } : {}),
		...(!icmp && source !== null ? { sourcePort: source } : {}),
		...(way === "host" ? {} : { local }),
		remote: addressText(family, packet.address),
		port: packet.port,
		interface: packet.interface,
	};
}

interface Setting {
	readonly enforced: readonly NetworkPolicy[];
	readonly staged: readonly NetworkPolicy[];
	readonly posture: "audit" | "block";
	readonly stagedPosture: "none" | "block";
	readonly allowlistScope: "direction" | "host";
	readonly failsafe: NonNullable<OracleOptions["failsafe"]>;
}

let generation = 0;

/** Loads what a setting says, sends the packets, and tells which passed and what was counted. */
async function run(bench: Bench, setting: Setting, sent: readonly Sent[]) {
	generation++;
	const { enforced, staged, posture, stagedPosture, allowlistScope, failsafe } = setting;
	const options = {
		epoch: `e${generation}`,
		form: bench.form,
		hashFrom,
		posture,
		...(stagedPosture === "none" ? {} : { stagedPosture }),
		allowlistScope,
		failsafe,
		essentials: true,
		guests: { forwarded: "enforce" as const, interfaces: [], uplinks: [] },
		nflogGroup: 4242,
		maxElements: 1_000_000,
		logLimit: { rate: 500, burst: 1000 },
	};
	const compiled = compileNetwork(enforced, options, staged);
	if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
	freshTracking(bench.lab.lab.guarded, generation);
	expect(bench.kernel.apply(compiled.plan)).toMatchObject({ ok: true });
	expect(bench.kernel.collect()).toBe("");
	const before = countersOf(bench.lab.lab.guarded, table);
	const passed: boolean[] = [];
	for (const way of ["host", "guests"] as const) {
		const own = sent.flatMap((one, i) => (one.way === way ? [{ one, i }] : []));
		const prober = way === "host" ? bench.host : bench.guest;
		const results = await prober.send(own.map(({ one }) => toProbe(bench.lab, one)));
		for (const [k, { i }] of own.entries()) passed[i] = results[k] === true;
	}
	const after = countersOf(bench.lab.lab.guarded, table);
	const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
	return { plan: compiled.plan, passed, grown };
}

const key = ({ policy, direction, index }: Pick<CompiledRule, "policy" | "direction" | "index">) =>
	`${policy} ${direction} ${index}`;

function add(counts: Map<string, number>, name: string, more: number): void {
	if (more > 0) counts.set(name, (counts.get(name) ?? 0) + more);
}

test("what is staged changes no fate, and its would-blocks are what enforcing it blocks more", async () => {
	await fc.assert(
		fc.asyncProperty(
			scopedSets,
			fc.infiniteStream(fc.boolean()),
			fc.noShrink(fc.nat()),
			fc.record({
				posture: fc.constantFrom("audit" as const, "block" as const),
				stagedPosture: fc.constantFrom("none" as const, "none" as const, "block" as const),
				allowlistScope: fc.constantFrom("direction" as const, "host" as const),
				failsafe: failsafes,
			}),
			async (policies, coins, seed, meaning) => {
				const enforced = policies.filter(() => coins.next().value === true);
				const staged = policies.filter((policy) => !enforced.includes(policy));
				const ways = fc.constantFrom<Sent["way"]>("host", "guests");
				const sent = fc
					.sample(fc.record({ packet: packets, way: ways }), { seed, numRuns: packetsPerRun })
					.filter(({ packet }) => routable(packet));
				const after = meaning.stagedPosture === "block" ? "block" : meaning.posture;
				const oracle = (set: readonly NetworkPolicy[], posture: "audit" | "block", { packet, way }: Sent) =>
					judge(holdingFor(set, way), { ...meaning, posture }, packet);
				for (const bench of benches) {
					const alone = { ...meaning, stagedPosture: "none" as const, staged: [] };
					const plain = await run(bench, { ...alone, enforced }, sent);
					const beside = await run(bench, { ...meaning, enforced, staged }, sent);
					const promoted = await run(bench, { ...alone, enforced: policies, posture: after }, sent);
					expect(beside.passed).toEqual(plain.passed);
					expect(beside.passed).toEqual(
						sent.map((one) => oracle(enforced, meaning.posture, one).action !== "Block"),
					);
					// What passes now and would not once all is promoted, at the rule that blocks it then.
					const expected = new Map<string, number>();
					for (const [i, one] of sent.entries()) {
						if (plain.passed[i] !== true || promoted.passed[i] === true) continue;
						const { policy, index } = oracle(policies, after, one);
						if (policy !== null) add(expected, key({ policy, index, direction: one.packet.direction }), 1);
					}
					const told = beside.plan.staged;
					const found = new Map<string, number>();
					for (const rule of told?.rules ?? []) add(found, key(rule), beside.grown(rule.counter));
					expect(found).toEqual(expected);
					for (const { name, rules } of told?.policies ?? []) {
						const own = [...found].filter(([which]) => which.startsWith(`${name} `));
						const counted = (told?.rules ?? []).filter(({ id }) => rules.includes(id));
						const sum = counted.reduce((all, rule) => all + beside.grown(rule.counter), 0);
						expect(sum).toBeGreaterThanOrEqual(own.reduce((all, [, count]) => all + count, 0));
					}
					// Once nothing is staged, nothing of it is left.
					const left = bench.lab.lab.guarded.run(["nft", "list", "table", "inet", table]);
					expect(left).not.toContain("staged");
				}
			},
		),
		{ numRuns: runs, interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false },
	);
}, 300_000);
