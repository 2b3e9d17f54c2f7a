/** What is recommended, held against brute force, and flow by flow. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { failsafeName } from "../../../../../src/enforcers/network/compile/failsafe.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { candidateText } from "../../../../../src/enforcers/network/history/recommend/candidate.ts";
import type { Recommendation } from "../../../../../src/enforcers/network/history/recommend/model.ts";
import { statesText } from "../../../../../src/enforcers/network/history/recommend/states.ts";
import type { SeenFlow } from "../../../../../src/enforcers/network/history/seen-flow.ts";
import { formatPolicy } from "../../../../../src/engine/format-policy.ts";
import { cidr } from "../../compile/build.ts";
import { beginning, flow, guestFlow, scans, seenFlows } from "../support/flows.ts";
import { isAllowed, packetsOf, recommended, remembered, written } from "../support/recommended.ts";

const options = fc.record({
	minCount: fc.constantFrom(1, 2, 2, 3),
	aggregate: fc.constantFrom(
		"auto" as const,
		"auto" as const,
		"none" as const,
		{ 4: 24, 6: 64 },
		{ 4: 30, 6: 120 },
	),
});
const flowSets = fc
	.tuple(fc.array(seenFlows, { maxLength: 60 }), fc.array(scans, { maxLength: 1 }))
	.map(([flows, scan]) => [...flows, ...scan.flat()]);

function chosen({ services }: Recommendation): string[] {
	return services.flatMap((one) =>
		one.chosen.map(({ candidate, holes }) =>
			[
				candidateText(candidate),
				...holes.map((hole) => `but ${candidateText({ ...candidate, block: hole })}`),
			].join(" "),
		),
	);
}

function reasons({ leftOut }: Recommendation): string[] {
	return leftOut.map(({ reason }) => reason);
}

describe("whatever was seen", () => {
	test("the policies are valid, allow every flow that is in, and none that stays out", () => {
		fc.assert(
			fc.property(flowSets, options, (flows, wanted) => {
				const found = recommended(flows, wanted);
				const { texts, policies } = written(found);
				for (const text of texts) expect(formatPolicy("seen.yaml", text).ok).toBe(true);
				expect(found.included.size + found.leftOut.length).toBe(flows.length);
				for (const one of found.included.keys())
					for (const packet of packetsOf(one)) expect(isAllowed(policies, one, packet)).toBe(true);
				for (const { flow: one } of found.leftOut) {
					const all = packetsOf(one);
					const allowed = all.filter((packet) => isAllowed(policies, one, packet));
					// Of merged flows some addresses may be in, by flows of their own.
					expect(allowed.length === 0 || (allowed.length < all.length && all.length > 1)).toBe(true);
				}
			}),
			{ numRuns: 60 },
		);
	});

	test("services, interfaces and networks that were not seen stay closed", () => {
		fc.assert(
			fc.property(flowSets, options, fc.array(seenFlows, { maxLength: 20 }), (flows, wanted, others) => {
				const { policies } = written(recommended(flows, wanted));
				const near = (a: SeenFlow, b: SeenFlow) => {
					const { family, base, prefix } = b.remote;
					const low = BigInt(family === 4 ? 8 : 64);
					const wide = BigInt((family === 4 ? 32 : 128) - prefix);
					const shift = low > wide ? low : wide;
					return a.remote.family === family && a.remote.base >> shift === base >> shift;
				};
				for (const other of others) {
					const seen = flows.some(
						(one) =>
							one.direction === other.direction &&
							one.protocol === other.protocol &&
							one.port === other.port &&
							(one.hook === "forward") === (other.hook === "forward") &&
							(one.interface === other.interface || one.hook === "output") &&
							near(other, one),
					);
					if (seen) continue;
					const [packet] = packetsOf(other);
					if (packet !== undefined) expect(isAllowed(policies, other, packet)).toBe(false);
				}
			}),
			{ numRuns: 60 },
		);
	});

	test("the same flows in another order are the same, and so is a second run with what the first one kept", () => {
		fc.assert(
			fc.property(flowSets, options, fc.nat(), (flows, wanted, seed) => {
				const found = recommended(flows, wanted);
				const states = statesText(found, []);
				const shuffled = flows.toSorted((a, b) => ((a.count * 7 + seed) % 5) - ((b.count * 7 + seed) % 5));
				const again = recommended(shuffled, wanted);
				expect(written(again).texts).toEqual([...written(found).texts]);
				expect(statesText(again, [])).toBe(states);
				const second = recommended(flows, wanted, states);
				expect(statesText(second, remembered(states))).toBe(states);
			}),
			{ numRuns: 60 },
		);
	});

	test("nothing of a scan gets in, whatever else was seen", () => {
		fc.assert(
			fc.property(scans, fc.array(seenFlows, { maxLength: 40 }), options, (scan, others, wanted) => {
				const found = recommended([...others, ...scan], wanted);
				const { policies } = written(found);
				for (const one of scan) {
					expect(found.included.has(one)).toBe(false);
					for (const packet of packetsOf(one)) expect(isAllowed(policies, one, packet)).toBe(false);
				}
			}),
			{ numRuns: 60 },
		);
	});
});

describe("out stays, with a reason", () => {
	const regular = flow("ingress tcp 443 from 10.0.0.1");

	test.each<readonly [string, readonly SeenFlow[], string]>([
		[
			"what was blocked",
			[flow("ingress tcp 22 from 10.0.0.1", { action: "Block", policy: "strict" })],
			"last by strict",
		],
		[
			"what a policy tells of",
			[flow("ingress tcp 22 from 10.0.0.1", { action: "Audit", policy: "watch" })],
			"silence",
		],
		[
			"a stranger who came once",
			[flow("ingress tcp 22 from 203.0.113.1", { count: 1 })],
			"a one-off: seen once",
		],
		["what passes on loopback", [flow("ingress tcp 22 from 127.0.0.1", { interface: "lo" })], "loopback"],
		["an essential", [flow("egress udp 67 to 10.0.0.1")], "essentials"],
		[
			"an interface that no rule can name",
			[flow("ingress tcp 22 from 10.0.0.1", { interface: "a:b" })],
			"interface",
		],
		[
			"what was merged into a block",
			[{ ...flow("ingress tcp 22 from 10.0.0.0"), remote: cidr("10.0.0.0/24") }],
			"nobody can say which",
		],
	])("%s", (_, flows, reason) => {
		const found = recommended([regular, ...flows]);
		expect(chosen(found)).toEqual(["ingress tcp 443 from 10.0.0.1 on eth0"]);
		expect(reasons(found)).toEqual([expect.stringContaining(reason)]);
	});

	test("what failsafe rules let in, by their place in the settings", () => {
		const failsafe = {
			ingress: [{ protocol: "tcp", cidr: null, port: { first: 22, last: 22 }, interface: null }] as const,
			egress: [],
		};
		const model = buildModel(ruleSets([]), { posture: "block", allowlistScope: "direction", failsafe });
		const found = recommended([flow("ingress tcp 22 from 10.0.0.1")], { model });
		expect(reasons(found)).toEqual([
			`passes by ${failsafeName} ingress[0] of the settings, and needs no rule`,
		]);
	});

	test("who asks for many ports, many guests or many neighbours, also for what others use", () => {
		const ports = Array.from({ length: 12 }, (_, i) =>
			flow(`ingress tcp ${440 + i} from 10.0.0.66`, { count: 30 }),
		);
		const guests = Array.from({ length: 10 }, (_, i) =>
			guestFlow("ingress tcp 80 from 10.0.0.67", BigInt(i)),
		);
		const sweep = Array.from({ length: 16 }, (_, i) => flow(`egress tcp 22 to 10.9.0.${i}`, { count: 3 }));
		const found = recommended([regular, ...ports, ...guests, ...sweep]);
		expect(chosen(found)).toEqual(["ingress tcp 443 from 10.0.0.1 on eth0"]);
		expect(new Set(reasons(found))).toEqual(
			new Set([
				"part of a scan: 10.0.0.66 asked for 12 ports",
				"part of a scan: 10.0.0.67 asked 10 guests for tcp 80",
				"part of a sweep: this host asked 16 addresses of 10.9.0.0/24 for tcp 22, each 3 times at most",
			]),
		);
	});

	test("what happened last counts: who was blocked once and passes now is in, and the other way round out", () => {
		const later = { lastSeen: beginning + 9e8 };
		const block = { action: "Block", policy: "p" } as const;
		const opened = [flow("ingress tcp 22 from 10.0.0.1", block), flow("ingress tcp 22 from 10.0.0.1", later)];
		expect(chosen(recommended(opened))).toEqual(["ingress tcp 22 from 10.0.0.1 on eth0"]);
		const closed = [
			flow("ingress tcp 22 from 10.0.0.1"),
			flow("ingress tcp 22 from 10.0.0.1", { ...block, ...later }),
		];
		expect(chosen(recommended(closed))).toEqual([]);
	});

	test("but what only the default posture told of is in: that is how one learns", () => {
		const told = flow("ingress tcp 22 from 10.0.0.1", { action: "Audit", policy: "DefaultPosture" });
		expect(chosen(recommended([told]))).toEqual(["ingress tcp 22 from 10.0.0.1 on eth0"]);
	});
});

describe("addresses", () => {
	const clients = [1, 2, 3].map((host) => flow(`ingress tcp 443 from 10.0.0.${host}`));

	test("of one network become the network, for whoever of it came once, too", () => {
		const once = flow("ingress tcp 443 from 10.0.0.9", { count: 1 });
		const found = recommended([...clients, once]);
		expect(chosen(found)).toEqual(["ingress tcp 443 from 10.0.0.0/24 on eth0"]);
		expect(found.services[0]?.chosen[0]).toMatchObject({ addresses: 4, evidence: { count: 31 }, holes: [] });
		expect(chosen(recommended(clients, { aggregate: "none" }))).toHaveLength(3);
		expect(chosen(recommended(clients.slice(1)))).toHaveLength(2);
	});

	test("that must not get in are holes of a network, and as many as those that may leave no network", () => {
		const blocked = (host: number) =>
			flow(`ingress tcp 443 from 10.0.0.${host}`, { action: "Block", policy: "p" });
		expect(chosen(recommended([...clients, blocked(66)]))).toEqual([
			"ingress tcp 443 from 10.0.0.0/24 on eth0 but ingress tcp 443 from 10.0.0.66 on eth0",
		]);
		expect(chosen(recommended([...clients, blocked(66), blocked(67), blocked(68)]))).toHaveLength(3);
	});

	test("in blocks of a size that was asked for, merged flows of that size included", () => {
		const merged = { ...flow("ingress tcp 443 from 10.0.9.0"), remote: cidr("10.0.9.0/24") };
		const v6 = flow("ingress tcp 443 from 2001:db8::7");
		const found = recommended([flow("ingress tcp 443 from 10.0.0.1"), merged, v6], {
			aggregate: { 4: 24, 6: 56 },
		});
		expect(chosen(found)).toEqual([
			"ingress tcp 443 from 10.0.0.0/24 on eth0",
			"ingress tcp 443 from 10.0.9.0/24 on eth0",
			"ingress tcp 443 from 2001:db8::/56 on eth0",
		]);
	});

	test("of a service that half the world uses are offered as everybody, and not set", () => {
		const visitors = Array.from({ length: 40 }, (_, i) => flow(`ingress tcp 443 from 60.${i}.0.1`));
		const found = recommended(visitors);
		expect(found.learnt.map(({ candidate }) => candidateText(candidate))).toEqual([
			"ingress tcp 443 from any on eth0",
		]);
		const set = recommended(visitors, {}, "Set ingress tcp 443 from any on eth0");
		expect(chosen(set)).toEqual(["ingress tcp 443 from any on eth0"]);
		expect(set.services[0]?.chosen[0]?.evidence?.count).toBe(400);
		expect(set.learnt).toEqual([]);
	});
});

describe("what an operator says", () => {
	const clients = [1, 2, 3].map((host) => flow(`ingress tcp 443 from 10.0.0.${host}`));

	test("Set lets in what would stay out, seen or not", () => {
		const stranger = flow("ingress tcp 22 from 203.0.113.1", { count: 1 });
		const states = "Set ingress tcp 22 from 203.0.113.1 on eth0\nSet egress udp 53 to 10.0.0.53\n";
		const found = recommended([stranger], {}, states);
		expect(chosen(found)).toEqual(["egress udp 53 to 10.0.0.53", "ingress tcp 22 from 203.0.113.1 on eth0"]);
		expect(found.services.map((one) => one.chosen[0]?.evidence?.count ?? null)).toEqual([null, 1]);
		expect(found.leftOut).toEqual([]);
	});

	test("Set for any interface holds for each", () => {
		const found = recommended(
			[flow("ingress tcp 22 from 10.0.0.1", { count: 1 })],
			{},
			"Set ingress tcp 22 from 10.0.0.0/8",
		);
		expect(found.leftOut).toEqual([]);
		expect(chosen(found)).toEqual(["ingress tcp 22 from 10.0.0.0/8"]);
	});

	test("Ignore keeps it out, also of wider blocks, and of the list of what is learnt", () => {
		const found = recommended(clients, {}, "Ignore ingress tcp 443 from 10.0.0.2 on eth0");
		expect(chosen(found)).toHaveLength(2);
		const more = recommended(
			[...clients, flow("ingress tcp 443 from 10.0.0.4")],
			{},
			"Ignore ingress tcp 443 from 10.0.0.2",
		);
		expect(chosen(more)).toEqual([
			"ingress tcp 443 from 10.0.0.0/24 on eth0 but ingress tcp 443 from 10.0.0.2 on eth0",
		]);
		expect(reasons(more)).toEqual(["is to be ignored, by recommend.states"]);
		expect(more.learnt).toEqual([]);
		expect(chosen(recommended(clients, {}, "Ignore ingress tcp 443 from any on eth0"))).toEqual([]);
	});

	test("what was set before stays set when it is seen no more, with what was known of it", () => {
		const before = statesText(recommended(clients), []);
		const found = recommended([], {}, before);
		expect(chosen(found)).toEqual(["ingress tcp 443 from 10.0.0.0/24 on eth0"]);
		expect(found.services[0]?.chosen[0]).toMatchObject({ evidence: { count: 30 }, examples: [] });
		expect(written(found).texts[0]).toContain(
			"30 times, 2026-11-20T00:00:00.000Z to 2026-11-21T00:00:00.000Z, not of late",
		);
	});
});
