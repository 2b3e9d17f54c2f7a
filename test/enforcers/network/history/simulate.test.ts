/** What is simulated, held against brute force. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { withoutBlocking } from "../../../../src/enforcers/network/compile/enforcement.ts";
import type { Failsafe } from "../../../../src/enforcers/network/compile/failsafe.ts";
import {
	buildModel,
	type NetworkModel,
	ruleSets,
} from "../../../../src/enforcers/network/compile/program.ts";
import type { SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";
import { simulateFlows, simulationJson } from "../../../../src/enforcers/network/history/simulate.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../compile/build.ts";
import { failsafes, holdingFor, packets, scopedSets } from "../compile/generate.ts";
import { judge, type OracleOptions, type OraclePacket } from "../compile/oracle.ts";
import { beginning, flow, guestFlow } from "./support/flows.ts";

const noFailsafe: Failsafe = { ingress: [], egress: [] };
const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;

function modelOf(policies: readonly NetworkPolicy[], options: Partial<OracleOptions> = {}): NetworkModel {
	const strict = { posture: "block", allowlistScope: "direction", failsafe: noFailsafe } as const;
	return buildModel(ruleSets(policies), { ...strict, ...options, guests });
}

const simulate = (flows: readonly SeenFlow[], model: NetworkModel) =>
	simulateFlows({ since: beginning, flows, merged: 0, lost: 0 }, model, true);

/** The flow that a packet would be recorded as; ICMP and source ports as records have them. */
function recorded(packet: OraclePacket, forwarded: boolean, action: SeenFlow["action"]): SeenFlow {
	const { direction, family, address, protocol, port } = packet;
	return {
		...flow(`${direction} tcp 1 from 10.0.0.1`),
		protocol: protocol ?? 251,
		port: typeof protocol === "string" ? Math.max(port, 1) : null,
		remote: { family, base: address, prefix: family === 4 ? 32 : 128 },
		interface: packet.interface,
		hook: forwarded ? "forward" : direction === "ingress" ? "input" : "output",
		guest: forwarded ? { family, value: 7n } : null,
		action,
	};
}

function packetsOf({ direction, remote, interface: name, protocol, port }: SeenFlow): OraclePacket[] {
	const { family, base, prefix } = remote;
	const size = 1 << ((family === 4 ? 32 : 128) - prefix);
	const source = protocol === 1 ? 8 : protocol === 58 ? 128 : null;
	return Array.from({ length: size }, (_, i) => ({
		direction,
		family,
		address: base + BigInt(i),
		interface: name,
		protocol: protocol === 251 ? null : protocol,
		port: port ?? 0,
		source,
	}));
}

const options = fc.record({
	posture: fc.constantFrom("audit" as const, "block" as const),
	allowlistScope: fc.constantFrom("direction" as const, "host" as const),
	failsafe: failsafes,
});

test("says of each flow what brute force says of each of its addresses", () => {
	const seen = fc.record({
		packet: packets,
		forwarded: fc.boolean(),
		action: fc.constantFrom("Allow" as const, "Audit" as const, "Block" as const),
		wide: fc.constantFrom(0, 0, 2, 4),
	});
	fc.assert(
		fc.property(scopedSets, options, fc.array(seen, { maxLength: 20 }), (policies, meaning, list) => {
			const model = modelOf(policies, meaning);
			const sets = { host: holdingFor(policies, "host"), guests: holdingFor(policies, "guests") };
			for (const { packet, forwarded, action, wide } of list) {
				const single = recorded(packet, forwarded, action);
				const prefix = single.remote.prefix - wide;
				const base = (single.remote.base >> BigInt(wide)) << BigInt(wide);
				const one = { ...single, remote: { ...single.remote, base, prefix } };
				const verdicts = packetsOf(one).map((each) =>
					judge(sets[forwarded ? "guests" : "host"], meaning, each),
				);
				const otherwise = verdicts.filter((verdict) => (verdict.action === "Block") !== (action === "Block"));
				const found = simulateFlows({ since: 0, flows: [one], merged: 0, lost: 0 }, model, false);
				const change = action === "Block" ? "wouldAllow" : "wouldBlock";
				expect(found[change]).toBe(otherwise.length > 0 ? 1 : 0);
				expect(found.unchanged).toBe(otherwise.length > 0 ? 0 : 1);
				const [first] = otherwise;
				if (first === undefined) continue;
				const { policy: name, index } = first;
				const told = { policy: name, index: index < 0 ? null : index, change };
				const partly = otherwise.length < verdicts.length ? 1 : 0;
				expect(found.rules).toMatchObject([{ ...told, count: 1, partly, example: one }]);
			}
		}),
		{ numRuns: 100 },
	);
});

describe("what would change", () => {
	const web = policy(
		"web",
		rule("Allow", { peers: ["10.0.0.0/24"], ports: ["tcp/443"] }),
		rule("Block", { peers: ["10.0.0.9/32"], ports: ["tcp/443"] }),
	);

	test("is told by rule, the blocking ones first, each with its newest flow", () => {
		const newest = flow("ingress tcp 22 from 10.0.0.2", { lastSeen: beginning + 9e8 });
		const found = simulate(
			[
				flow("ingress tcp 443 from 10.0.0.1"),
				flow("ingress tcp 22 from 10.0.0.1"),
				newest,
				flow("ingress tcp 443 from 10.0.0.9"),
				flow("ingress tcp 443 from 10.0.0.3", { action: "Block", policy: "old" }),
				flow("egress tcp 443 to 10.0.0.9"),
			],
			modelOf([web]),
		);
		expect(found).toMatchObject({ flows: 6, wouldBlock: 3, wouldAllow: 1, unchanged: 2 });
		expect(found.rules).toMatchObject([
			{ policy: "DefaultPosture", index: null, change: "wouldBlock", count: 2, partly: 0, example: newest },
			{ policy: "web", index: 1, change: "wouldBlock", count: 1 },
			{ policy: "web", index: 0, change: "wouldAllow", count: 1 },
		]);
	});

	test("of merged flows may be true of a part", () => {
		const merged = { ...flow("ingress tcp 443 from 10.0.0.1"), remote: cidr("10.0.0.0/24") };
		const found = simulate([merged], modelOf([web]));
		expect(found.rules).toMatchObject([
			{ policy: "web", index: 1, change: "wouldBlock", count: 1, partly: 1 },
		]);
	});

	test("of what is forwarded is what holds for guests, and nothing where nobody asks", () => {
		const scoped: NetworkPolicy = { ...web, appliesTo: "guests" };
		const model = modelOf([scoped]);
		const flows = [guestFlow("ingress tcp 22 from 10.0.0.1"), flow("ingress tcp 22 from 10.0.0.1")];
		expect(simulate(flows, model)).toMatchObject({ wouldBlock: 1, unchanged: 1 });
		const { guests: _, ...host } = model;
		expect(simulate(flows, host)).toMatchObject({ wouldBlock: 0, unchanged: 2 });
	});

	test("is nothing where no policy is asked: loopback, and what a host needs to stay on its network", () => {
		const flows = [
			flow("ingress tcp 22 from 10.0.0.1", { interface: "lo" }),
			flow("ingress udp 68 from 10.0.0.1"),
			flow("ingress udp 546 from fe80::1"),
			flow("ingress 2 from 10.0.0.1"),
			flow("ingress 58 from fe80::1"),
		];
		expect(simulate(flows, modelOf([web]))).toMatchObject({ wouldBlock: 0, unchanged: 5 });
		const bare = simulateFlows({ since: 0, flows, merged: 0, lost: 0 }, modelOf([web]), false);
		expect(bare).toMatchObject({ wouldBlock: 4, unchanged: 1 });
		expect(simulate([flow("ingress 58 from 2001:db8::1")], modelOf([web]))).toMatchObject({ wouldBlock: 1 });
	});

	test("is what policies say, also where the settings keep them from doing so", () => {
		const flows = [flow("ingress tcp 22 from 10.0.0.1"), guestFlow("ingress tcp 22 from 10.0.0.1")];
		expect(simulate(flows, withoutBlocking(modelOf([web])))).toMatchObject({ wouldBlock: 2 });
	});

	test("has a form that others read", () => {
		const json = simulationJson(simulate([flow("ingress tcp 22 from 10.0.0.1")], modelOf([web])));
		expect(json).toEqual({
			since: "2026-11-20T00:00:00.000Z",
			wouldBlock: 1,
			wouldAllow: 0,
			unchanged: 0,
			rules: [
				{
					policy: "DefaultPosture",
					direction: "ingress",
					index: null,
					change: "wouldBlock",
					count: 1,
					partly: 0,
					example: expect.objectContaining({ remote: "10.0.0.1", port: 22 }),
				},
			],
		});
	});
});
