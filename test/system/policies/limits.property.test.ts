/**
 * Random policies, some of whose rules have limits, and real packets: precedence is what it is without limits, and of the
 * packets that a rule decides just so many meet it, each sender's for themselves, in both forms of ruleset.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress } from "../../../src/base/cidr.ts";
import type { KernelTable } from "../../../src/enforcers/network/apply/kernel-table.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan, RulesetForm } from "../../../src/enforcers/network/compile/plan.ts";
import { hashFrom } from "../../../src/enforcers/network/compile/render/hashable.ts";
import type { NetworkPolicy, NetworkRule, RuleLimits } from "../../../src/enforcers/network/model.ts";
import { packets, policySets } from "../../enforcers/network/compile/generate.ts";
import { judgeLimited, type Limited } from "../../enforcers/network/compile/limit-oracle.ts";
import type { OraclePacket } from "../../enforcers/network/compile/oracle.ts";
import { Lab } from "../support/netns.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { addressText, countersOf, freshTracking, routable } from "./property-support.ts";

const table = "kubearmor";
const interfaces = ["eth0", "eth1", "eth", "eth9", "e", "wlan0", "x"];
const runs = Number(process.env.PORTWARD_PROPERTY_RUNS ?? 6);
const packetsPerRun = 300;

interface Bench {
	readonly form: RulesetForm;
	readonly lab: Lab;
	readonly prober: Prober;
	readonly kernel: KernelTable;
}

const benches: Bench[] = [];

beforeAll(async () => {
	for (const form of ["concatenated", "nested"] as const) {
		const lab = await Lab.create(interfaces);
		// However slow the machine is, no flow ends before all are counted.
		lab.guarded.run(["sh", "-c", "echo 3600 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout"]);
		benches.push({ form, lab, prober: new Prober(lab), kernel: kernelTable(lab.guarded, table) });
	}
});
afterAll(() => {
	for (const { lab, prober } of benches) {
		prober[Symbol.dispose]();
		lab[Symbol.dispose]();
	}
});

const counted = {
	per: fc.constantFrom("source" as const, "rule" as const),
	prefix6: fc.constantFrom(1, 16, 61, 64, 127, 128),
	exceedAction: fc.constantFrom("Block" as const, "Block" as const, "Audit" as const),
};

const rates: fc.Arbitrary<RuleLimits> = fc
	.record({ ...counted, burst: fc.integer({ min: 1, max: 6 }) })
	.map(({ exceedAction, ...rate }) => ({ rate: { connections: 1, unit: "day", ...rate }, exceedAction }));

/** Open flows, with a rate beside them in half of the rules. */
const openFlows: fc.Arbitrary<RuleLimits> = fc
	.record({
		...counted,
		max: fc.integer({ min: 1, max: 6 }),
		burst: fc.option(fc.integer({ min: 1, max: 9 })),
	})
	.map(({ exceedAction, burst, max, ...count }) => ({
		...(burst === null ? {} : { rate: { connections: 1, unit: "day", burst, ...count } }),
		connections: { max, ...count },
		exceedAction,
	}));

const limitedBy = (limits: fc.Arbitrary<RuleLimits>) =>
	fc.tuple(policySets, fc.infiniteStream(fc.option(limits, { nil: undefined, freq: 3 }))).map(withLimitsOf);

function withLimitsOf([policies, stream]: readonly [
	NetworkPolicy[],
	IterableIterator<RuleLimits | undefined>,
]): NetworkPolicy[] {
	const withLimits = (rule: NetworkRule): NetworkRule => {
		const made = rule.action === "Block" ? undefined : stream.next().value;
		return made === undefined ? rule : { ...rule, limits: made };
	};
	return policies.map(
		(policy): NetworkPolicy => ({
			...policy,
			ingress: policy.ingress.map(withLimits),
			egress: policy.egress.map(withLimits),
		}),
	);
}

/** Each packet begins a flow of its own. */
function distinct(asked: readonly OraclePacket[]): OraclePacket[] {
	return asked.flatMap((packet, i) =>
		typeof packet.protocol === "string" ? { ...packet, source: 20_000 + i } : [],
	);
}

function toProbe({
	direction,
	protocol,
	source,
	family,
	address,
	port,
	interface: name,
}: OraclePacket): Probe {
	return {
		direction,
		protocol: protocol ?? 251,
		...(source === null ? {} : { sourcePort: source }),
		remote: addressText(family, address),
		port,
		interface: name,
	};
}

/** Who sends a packet: the other end, or this host by the interface that it leaves by. */
function senderIn(lab: Lab) {
	return ({ direction, family, address, interface: name }: OraclePacket) => {
		if (direction === "ingress") return { family, address };
		const link = lab.link(name);
		const own = parseAddress(family === 4 ? link.local4 : link.local6);
		if (!("family" in own)) throw new Error("no address");
		return { family, address: own.value };
	};
}

/** What rules and their limits should have counted, those with nothing left out. */
function expectedCounts(plan: NetworkPlan, { shared }: Limited): Map<string, number> {
	const counts = new Map<string, number>();
	const add = (counter: string, more: number) => {
		if (more > 0) counts.set(counter, (counts.get(counter) ?? 0) + more);
	};
	for (const { policy, direction, index, members, within } of shared) {
		const rule = plan.rules.find(
			(one) => one.policy === policy && one.direction === direction && one.index === index,
		);
		if (rule?.limits?.length !== within.length) throw new Error("a rule without its limits");
		add(rule.counter, within.at(-1) ?? 0);
		for (const [i, { exceeded }] of rule.limits.entries())
			add(exceeded.counter, (within[i - 1] ?? members.length) - (within[i] ?? 0));
	}
	return counts;
}

let generation = 0;

/** A closed TCP connection, or one that a reset ended, is not counted any more: of UDP each stays open. */
const ofUdp = (packet: OraclePacket): OraclePacket =>
	typeof packet.protocol === "string" ? { ...packet, protocol: "udp" } : packet;

test.each([
	["a rate", limitedBy(rates), (packet: OraclePacket) => packet],
	["a limit of open flows", limitedBy(openFlows), ofUdp],
] as const)(
	"just so many packets of each sender meet a rule with %s",
	async (_, limited, made) => {
		/** How many packets were beyond a limit, over all runs: a test that sees none holds nothing. */
		let beyond = 0;
		await fc.assert(
			fc.asyncProperty(
				limited,
				fc.noShrink(fc.nat()),
				fc.constantFrom("audit" as const, "block" as const),
				async (policies, seed, posture) => {
					const sampled = fc.sample(packets, { seed, numRuns: packetsPerRun }).filter(routable);
					const asked = distinct(sampled.map(made));
					for (const { form, lab, prober, kernel } of benches) {
						generation++;
						const compiled = compileNetwork(policies, {
							epoch: `e${generation}`,
							form,
							hashFrom,
							posture,
							allowlistScope: "direction",
							failsafe: { ingress: [], egress: [] },
							essentials: true,
							nflogGroup: 4242,
							maxElements: 1_000_000,
							logLimit: { rate: 500, burst: 1000 },
						});
						if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
						freshTracking(lab.guarded, generation);
						// What an earlier run used would stay used where it had the same rule.
						lab.guarded.try(["nft", "delete", "table", "inet", table]);
						kernel.distrust();
						expect(kernel.apply(compiled.plan)).toMatchObject({ ok: true });
						const passed = await prober.send(asked.map(toProbe));
						const expected = judgeLimited(
							policies,
							{ posture, allowlistScope: "direction" },
							asked,
							senderIn(lab),
						);
						const wrong = expected.passes.flatMap((passes, i) =>
							passes === null || passed[i] === passes ? [] : [asked[i]],
						);
						expect(wrong.slice(0, 3)).toEqual([]);
						for (const shared of expected.shared) {
							const { members, within, passesBeyond } = shared;
							const met = within.at(-1) ?? 0;
							beyond += members.length - met;
							const through = members.filter((i) => passed[i]).length;
							expect({ ...shared, through }).toEqual({
								...shared,
								through: passesBeyond ? members.length : met,
							});
						}
						const counters = countersOf(lab.guarded, table);
						const known = compiled.plan.rules.flatMap(({ counter, limits: own = [] }) =>
							own.length === 0 ? [] : [counter, ...own.map(({ exceeded }) => exceeded.counter)],
						);
						const found = known.map((name) => [name, counters.get(name) ?? 0] as const);
						expect(new Map(found.filter(([, count]) => count > 0))).toEqual(
							expectedCounts(compiled.plan, expected),
						);
					}
				},
			),
			{ numRuns: runs, interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false },
		);
		expect(beyond).toBeGreaterThan(0);
	},
	300_000,
);
