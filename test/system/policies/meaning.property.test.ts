/**
 * Random policies, loaded as the daemon loads them, and real packets: each must
 * meet the verdict that the brute-force oracle gives it, and be counted at the
 * rule that the oracle names, in both forms of ruleset.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import type { NetworkPolicy } from "../../../src/enforcers/network/model.ts";
import { failsafes, packets, policySets } from "../../enforcers/network/compile/generate.ts";
import { suffixPackets, suffixSets } from "../../enforcers/network/compile/generate-suffixes.ts";
import { judge, type OracleOptions, type OraclePacket } from "../../enforcers/network/compile/oracle.ts";
import { Lab } from "../support/netns.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { addressText, countersOf, freshTracking, routable } from "./property-support.ts";

const table = "kubearmor";

/** The interfaces that the generator of packets knows. */
const interfaces = ["eth0", "eth1", "eth", "eth9", "e", "wlan0", "x"];

/** How many sets of policies; each is loaded twice and gets a few hundred packets. */
const runs = Number(process.env.PORTWARD_PROPERTY_RUNS ?? 60);

const packetsPerRun = 400;

interface Bench {
	readonly form: RulesetForm;
	readonly hashFrom: number;
	readonly lab: Lab;
	readonly prober: Prober;
	readonly kernel: KernelTable;
}

/** Some name ends of IPv6 addresses. */
const sets = fc.oneof({ weight: 2, arbitrary: policySets }, { weight: 1, arbitrary: suffixSets });
const anyPackets = fc.oneof({ weight: 2, arbitrary: packets }, { weight: 1, arbitrary: suffixPackets });

const benches: Bench[] = [];

beforeAll(async () => {
	const kinds = [
		{ form: "concatenated", hashFrom },
		{ form: "concatenated", hashFrom: 1 },
		{ form: "nested", hashFrom },
	] as const;
	for (const kind of kinds) {
		const lab = await Lab.create(interfaces);
		benches.push({ ...kind, lab, prober: new Prober(lab), kernel: kernelTable(lab.guarded, table) });
	}
});
afterAll(() => {
	for (const { lab, prober } of benches) {
		prober[Symbol.dispose]();
		lab[Symbol.dispose]();
	}
});

function toProbe(packet: OraclePacket): Probe {
	const { protocol, source } = packet;
	const icmp = protocol === 1 || protocol === 58;
	return {
		direction: packet.direction,
		// A protocol that no policy names. Without ports there is one flow for each pair of hosts, so each direction
		// has its own number, lest it be taken for the other's reply.
		protocol: protocol ?? (packet.direction === "ingress" ? 251 : 252),
		...(icmp && source !== null ? { icmp: { type: source } } : {}),
		...(!icmp && source !== null ? { sourcePort: source } : {}),
		remote: addressText(packet.family, packet.address),
		port: packet.port,
		interface: packet.interface,
	};
}

/** Each flow once, whatever the interface: a second packet of a flow is the first one's, and counted by no rule. */
function each(asked: readonly OraclePacket[]): OraclePacket[] {
	const flowOf = (packet: OraclePacket) => JSON.stringify({ ...toProbe(packet), interface: "" });
	return [...new Map(asked.map((packet) => [flowOf(packet), packet])).values()];
}

/** What has a counter of its own, failsafe rules included. */
function counted(plan: NetworkPlan) {
	const failsafe = plan.failsafe.map((rule) => ({ ...rule, policy: "Failsafe" }));
	return [...plan.rules, ...failsafe];
}

/** What each rule should have counted, by counter, without the rules that counted nothing. */
function expectedCounts(
	plan: NetworkPlan,
	policies: readonly NetworkPolicy[],
	asked: readonly OraclePacket[],
	options: OracleOptions,
) {
	const rules = counted(plan);
	const expected = new Map<string, number>();
	for (const packet of asked) {
		const verdict = judge(policies, options, packet);
		const rule = rules.find(
			(one) =>
				one.policy === verdict.policy && one.index === verdict.index && one.direction === packet.direction,
		);
		if (rule !== undefined) expected.set(rule.counter, (expected.get(rule.counter) ?? 0) + 1);
	}
	return expected;
}

let generation = 0;

test("every packet meets the oracle's verdict and is counted at the oracle's rule", async () => {
	await fc.assert(
		fc.asyncProperty(
			sets,
			fc.noShrink(fc.nat()),
			fc.constantFrom("audit" as const, "block" as const),
			failsafes,
			async (policies, seed, posture, failsafe) => {
				const options: OracleOptions = { posture, allowlistScope: "direction", failsafe };
				const asked = each(fc.sample(anyPackets, { seed, numRuns: packetsPerRun }).filter(routable));
				const verdicts = asked.map((packet) => judge(policies, options, packet));
				for (const bench of benches) {
					generation++;
					const compiled = compileNetwork(policies, {
						epoch: `e${generation}`,
						form: bench.form,
						hashFrom: bench.hashFrom,
						posture,
						allowlistScope: "direction",
						failsafe,
						essentials: true,
						nflogGroup: 4242,
						maxElements: 1_000_000,
						logLimit: { rate: 500, burst: 1000 },
					});
					if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
					freshTracking(bench.lab.guarded, generation);
					const applied = bench.kernel.apply(compiled.plan);
					expect(applied).toMatchObject({ ok: true });
					expect(bench.kernel.collect()).toBe("");
					const before = countersOf(bench.lab.guarded, table);
					const passed = await bench.prober.send(asked.map(toProbe));
					const wrong = asked.flatMap((packet, index) => {
						const verdict = verdicts[index];
						const accepts = verdict?.action !== "Block";
						return passed[index] === accepts
							? []
							: [{ form: bench.form, hashFrom: bench.hashFrom, ...toProbe(packet), verdict }];
					});
					// The first few tell enough.
					expect(wrong.slice(0, 3)).toEqual([]);
					const after = countersOf(bench.lab.guarded, table);
					const counters = counted(compiled.plan).map((rule) => rule.counter);
					const found = new Map(
						counters
							.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)] as const)
							.filter(([, packetsCounted]) => packetsCounted > 0),
					);
					expect(found).toEqual(expectedCounts(compiled.plan, policies, asked, options));
				}
			},
		),
		{ numRuns: runs, interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false },
	);
}, 300_000);
