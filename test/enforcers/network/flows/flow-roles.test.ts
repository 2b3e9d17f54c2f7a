import { describe, expect, test } from "bun:test";
import { type FlowEvidence, rolesOf } from "../../../../src/enforcers/network/flows/flow-roles.ts";

const base: FlowEvidence = {
	protocol: 6,
	localPort: 7000,
	remotePort: 40_000,
	entry: null,
	connected: true,
	surplus: null,
	served: false,
	ephemeral: (port) => port >= 32_768 && port <= 60_999,
};
const roles = (evidence: Partial<FlowEvidence>) => rolesOf({ ...base, ...evidence });

describe("TCP", () => {
	test("byte counts that show this end's SYN prove that it opened the connection, whatever the entry and listeners say", () => {
		for (const entry of ["ingress", "egress", null] as const)
			for (const served of [true, false]) expect(roles({ surplus: 1, entry, served })).toEqual(["egress"]);
	});

	test("a listener and byte counts without a SYN prove that the other end did, also for an entry turned round", () => {
		for (const entry of ["ingress", "egress", null] as const)
			expect(roles({ surplus: 0, entry, served: true })).toEqual(["ingress"]);
	});

	test("without proof the listener and the entry are both asked", () => {
		expect(roles({ served: true, entry: "egress" })).toEqual(["ingress", "egress"]);
		expect(roles({ served: true, entry: "ingress" })).toEqual(["ingress"]);
		expect(roles({ served: false, entry: "ingress" })).toEqual(["egress", "ingress"]);
		expect(roles({ served: false, entry: null })).toEqual(["egress"]);
		// Packets that were dropped within this host make the counts say less.
		expect(roles({ served: false, entry: "egress", surplus: -5 })).toEqual(["egress"]);
	});

	test("a listener that has stopped since leaves both roles open", () => {
		expect(roles({ surplus: 0, served: false, entry: "egress" })).toEqual(["ingress", "egress"]);
	});

	test("without a socket the entry speaks, and who listens", () => {
		expect(roles({ connected: false, entry: "egress" })).toEqual(["egress"]);
		expect(roles({ connected: false, entry: "egress", served: true })).toEqual(["egress", "ingress"]);
		expect(roles({ connected: false })).toEqual([]);
	});
});

describe("UDP", () => {
	const udp = (evidence: Partial<FlowEvidence>) => roles({ protocol: 17, connected: false, ...evidence });

	test("a connected socket asks, unless another one serves its port", () => {
		expect(udp({ connected: true })).toEqual(["egress"]);
		expect(udp({ connected: true, entry: "ingress" })).toEqual(["egress", "ingress"]);
		expect(udp({ connected: true, served: true, entry: "egress" })).toEqual(["ingress", "egress"]);
	});

	test("who serves a port is judged by it, also where the entry is turned round", () => {
		expect(udp({ served: true, entry: "egress" })).toEqual(["egress", "ingress"]);
		expect(udp({ served: true, entry: "ingress" })).toEqual(["ingress"]);
	});

	test("a port that the kernel gives is a client's, and the same port at both ends is neither's", () => {
		expect(udp({ served: true, entry: "egress", localPort: 40_000, remotePort: 53 })).toEqual(["egress"]);
		expect(udp({ served: true, entry: "ingress", localPort: 40_000, remotePort: 53 })).toEqual([
			"ingress",
			"egress",
		]);
		expect(udp({ served: true, entry: "egress", localPort: 51_820, remotePort: 40_000 })).toEqual([
			"egress",
			"ingress",
		]);
		expect(udp({ served: true, entry: "egress", localPort: 123, remotePort: 123 })).toEqual(["egress"]);
	});
});

test("for other protocols the entry speaks", () => {
	expect(roles({ protocol: 132, entry: "ingress", served: true })).toEqual(["ingress"]);
	expect(roles({ protocol: 1, entry: null })).toEqual([]);
});
