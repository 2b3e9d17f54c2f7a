import { describe, expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { CompiledRule, NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import type { DocumentReport, Reloaded } from "../../../../src/enforcers/network/run/calls.ts";
import type { EnforcerState } from "../../../../src/enforcers/network/run/network-enforcer.ts";
import {
	forwardingWarnings,
	networkState,
	policyStates,
	readiness,
} from "../../../../src/enforcers/network/run/network-state.ts";

const enforcer = (state: EnforcerState["state"], reason = "") => ({
	state: { state, reason, generation: 1, elements: 0 },
	plan: null,
	inForce: new Set(["a"]),
});
const fine = { failure: "", complaint: "" };
const usb = { state: "active", reason: "" } as const;
const document = (over: Partial<DocumentReport> = {}): DocumentReport => ({
	name: "a",
	kind: "KubeArmorNetworkPolicy",
	file: "/p/a.yaml",
	line: 3,
	selected: true,
	enforced: true,
	origin: "current",
	action: "Block",
	diagnostics: [],
	...over,
});
const error = {
	file: "/p/a.yaml",
	line: 4,
	column: 1,
	path: "spec",
	severity: "error",
	code: "bad-cidr",
	message: "m",
	hint: "",
} as const;
const nothing: NetworkPlan = {
	objects: [],
	roots: { ingress: "", egress: "" },
	rules: [],
	elements: 0,
	allowlistMode: { ingress: false, egress: false },
	defaultDrop: { ingress: false, egress: false },
	failsafe: [],
};
const reloaded = (over: Partial<Reloaded> = {}): Reloaded => ({
	documents: [document()],
	diagnostics: [],
	complete: true,
	lastGood: false,
	signature: null,
	plan: null,
	devices: [],
	usbLock: false,
	nodeLabels: {},
	interfaces: [],
	parsed: { ever: 0, present: 0 },
	...over,
});

test("a failsafe rule is told with its counter, or none before the kernel has one", () => {
	const rule = {
		direction: "ingress",
		index: 0,
		protocol: "tcp",
		icmpType: null,
		cidr: "192.0.2.0/24",
		port: "22",
		interface: null,
		counter: "failsafe_ingress_0",
		text: "",
	} as const;
	const inForce = { ...enforcer("active"), plan: { ...nothing, failsafe: [rule] } };
	const counters = { failsafe_ingress_0: { packets: 2, bytes: 120 } };
	const invalidPackets = { ingress: 2, egress: 1 };
	const told = networkState(inForce, defaultConfig(), { counters, invalidPackets });
	expect(told.failsafe).toMatchObject([{ direction: "ingress", port: "22", packets: 2, bytes: 120 }]);
	expect(networkState(inForce, defaultConfig(), { counters: {}, invalidPackets }).failsafe).toMatchObject([
		{ packets: 0 },
	]);
	expect(
		networkState(enforcer("unavailable", "r"), defaultConfig(), { counters, invalidPackets }),
	).toMatchObject({
		state: "unavailable",
		reason: "r",
		failsafe: [],
		allowlistMode: { ingress: false, egress: false },
	});
});

describe("readiness", () => {
	test("what is enforced is what is on disk", () => {
		expect(readiness(reloaded(), enforcer("active"), usb, fine)).toEqual({
			ready: true,
			body: "ready: what is on disk is enforced",
		});
	});

	test("a last good version that stands in is ready, and said", () => {
		const state = readiness(
			reloaded({ lastGood: true, documents: [document({ origin: "last-good", diagnostics: [error] })] }),
			enforcer("active"),
			usb,
			fine,
		);
		expect(state).toEqual({
			ready: true,
			body: "ready: the last good version of what is broken on disk is enforced",
		});
	});

	test("a broken document that nothing stands in for is not ready, and named", () => {
		const documents = [document({ origin: "none", enforced: false, diagnostics: [error] })];
		const state = readiness(reloaded({ complete: false, documents }), enforcer("active"), usb, fine);
		expect(state).toEqual({ ready: false, body: "not ready: not enforced: /p/a.yaml:3" });
	});

	test("a refused set is ready while an earlier one stands in, and not ready where there is none", () => {
		const refused = (rules: NetworkPlan["rules"]) =>
			reloaded({
				complete: false,
				lastGood: true,
				documents: [document({ enforced: false, diagnostics: [error] })],
				plan: { ...nothing, rules },
			});
		const rule: CompiledRule = {
			id: "1",
			counter: "c_1",
			logCounter: null,
			policy: "a",
			direction: "ingress",
			index: 0,
			action: "Block",
			severity: 1,
			tags: [],
			message: "",
			place: null,
		};
		expect(readiness(refused([rule]), enforcer("active"), usb, fine)).toMatchObject({ ready: true });
		expect(readiness(refused([]), enforcer("active"), usb, fine)).toEqual({
			ready: false,
			body: "not ready: not enforced: the set of policies",
		});
	});

	test("an unavailable enforcer, a failed reload and the time before the first reading are not ready", () => {
		expect(readiness(reloaded(), enforcer("unavailable", "no root"), usb, fine).body).toContain("no root");
		expect(
			readiness(reloaded(), enforcer("active"), usb, { failure: "kernel said no", complaint: "" }),
		).toEqual({ ready: false, body: "not ready: the last reload failed: kernel said no" });
		// A reload that was applied did not fail, though what nobody confirmed is not in force.
		expect(
			readiness(reloaded(), enforcer("active"), usb, { failure: "", complaint: "nobody confirmed it" }),
		).toEqual({ ready: false, body: "not ready: nobody confirmed it" });
		expect(readiness(null, enforcer("active"), usb, fine)).toMatchObject({ ready: false });
	});

	test("a disabled enforcer is ready: nobody asked it to enforce", () => {
		expect(readiness(reloaded(), enforcer("disabled"), usb, fine)).toMatchObject({ ready: true });
	});
});

test("nothing is shown as enforced while the enforcer is not active", () => {
	expect(policyStates(reloaded(), enforcer("unavailable"), usb)[0]?.enforced).toBe(false);
	expect(policyStates(reloaded(), enforcer("active"), usb)[0]?.enforced).toBe(true);
});

test("a policy that was read is not shown as enforced before the kernel has it", () => {
	const loading = { ...enforcer("active"), inForce: new Set<string>() };
	expect(policyStates(reloaded(), loading, usb)[0]?.enforced).toBe(false);
});

test("a host that forwards is told what is not covered", () => {
	expect(forwardingWarnings({ ipv4: false, ipv6: false })).toEqual([]);
	expect(forwardingWarnings({ ipv4: true, ipv6: true })[0]).toContain("IPv4 and IPv6");
});
