import { expect, test } from "bun:test";
import type { Diagnostic } from "../../src/base/diagnostic.ts";
import {
	type PolicyCondition,
	type PolicyState,
	policyCondition,
	policyStates,
	statusDocument,
	trafficOf,
} from "../../src/report/status.ts";
import { sampleNetwork, sampleState, sampleUsb } from "./sample.ts";

const policy: PolicyState = {
	name: "np1",
	kind: "KubeArmorNetworkPolicy",
	file: "a.yaml",
	line: 1,
	selected: true,
	enforced: true,
	action: "Block",
	diagnostics: [],
};
const diagnostic = (severity: Diagnostic["severity"]): Diagnostic => ({
	file: "a.yaml",
	line: 2,
	column: 3,
	path: "spec",
	severity,
	code: "c",
	message: "m",
	hint: "",
});

test("the document has the documented fields, sums of a policy's rules, and no others", () => {
	const rule = { policy: "np1", index: 0, direction: "ingress", action: "Block" } as const;
	const document = statusDocument(
		sampleState(
			{ warnings: ["w"] },
			{
				network: {
					rules: [
						{ ...rule, packets: 2, bytes: 100 },
						{ ...rule, index: 1, direction: "egress", packets: 3, bytes: 50 },
						{ ...rule, policy: "DefaultPosture", index: -1, packets: 9, bytes: 9 },
					],
					ruleUses: [{ ...rule, packets: 2, since: 0, lastMatch: 1_000 }],
					interfaces: [
						{ interface: "eth0", reason: "member", bears: "br0", users: ["u"], message: "m", hint: "h" },
					],
					drift: 4,
				},
			},
		),
	);
	const expected = {
		version: "0.2.0",
		hostname: "vm1",
		panic: null,
		pending: null,
		settings: { problem: "", restart: "last-good" },
		signature: null,
		tests: null,
		groups: [],
		nodeLabels: { "kubernetes.io/hostname": "vm1" },
		ready: { ready: true, body: "enforced: what is on disk" },
		enforcers: {
			network: {
				state: "active",
				reason: "",
				generation: 3,
				elements: 42,
				allowlistMode: { ingress: true, egress: false },
				posture: "block",
				essentials: true,
				invalidPackets: { ingress: 6, egress: 0, forward: 0 },
				otherChains: [
					{
						family: "inet",
						table: "firewalld",
						chain: "filter_INPUT",
						type: "filter",
						hook: "input",
						priority: 10,
						policy: "accept",
						tools: ["firewalld"],
						legacy: false,
					},
				],
				guests: sampleNetwork.state.guests,
				failsafe: sampleNetwork.state.failsafe,
				limits: sampleNetwork.state.limits,
				quotas: sampleNetwork.quotas,
			},
			usb: {
				state: "active",
				reason: "",
				backend: "libudev",
				locked: true,
				posture: "block",
				allowlistMode: false,
			},
		},
		unmatched: { ingress: 9, egress: 0 },
		usbAllowed: [],
		policies: [
			{
				name: "np1",
				kind: "KubeArmorNetworkPolicy",
				file: "/etc/portward/policies/a.yaml",
				line: 1,
				selected: true,
				enforced: true,
				mode: "enforced",
				action: "Block",
				packets: 5,
				bytes: 150,
				decisions: { Block: 5 },
				rules: [
					{
						...{ direction: "ingress", index: 0, action: "Block", packets: 2 },
						since: "1970-01-01T00:00:00.000Z",
						lastMatch: "1970-01-01T00:00:01.000Z",
					},
				],
				staged: null,
				diagnostics: [],
			},
		],
		interfaces: [
			{ interface: "eth0", reason: "member", bears: "br0", users: ["u"], message: "m", hint: "h" },
		],
		drift: 4,
		observing: {
			enabled: true,
			reason: "",
			since: "2026-01-01T00:00:00.000Z",
			flows: 812,
			maxFlows: 100_000,
			merged: 2,
			lost: 1,
			new: 3,
		},
		sinks: [],
		kubearmorApi: null,
		confinement: {
			systemCalls: { active: true, detail: "" },
			files: { active: true, detail: "" },
			writable: ["/etc/portward", "/var/lib/portward"],
		},
		warnings: ["w"],
	};
	expect(Object.entries(document)).toEqual(Object.entries(expected));
});

test("an answer tells of so many rules, and of whole policies alone", () => {
	const use = { direction: "ingress", action: "Block", packets: 0, since: 0, lastMatch: null } as const;
	const names = ["a", "b", "c"];
	const ruleUses = names.flatMap((name) =>
		Array.from({ length: name === "b" ? 15_000 : 9_000 }, (_, index) => ({ ...use, policy: name, index })),
	);
	const policies = names.map((name) => ({ ...policy, name }));
	const { policies: told } = statusDocument(sampleState({ policies }, { network: { ruleUses } }));
	expect(told.map(({ rules }) => rules?.length ?? null)).toEqual([9_000, null, 9_000]);
});

test("of two documents with one name, the one that is not in force has counted nothing", () => {
	const document = statusDocument(
		sampleState({ policies: [policy, { ...policy, file: "b.yaml", enforced: false }] }),
	);
	expect(document.policies.map(({ packets }) => packets)).toEqual([7, 0]);
});

test("a host policy shows no packets of a network policy with its name", () => {
	const document = statusDocument(
		sampleState({ policies: [policy, { ...policy, kind: "KubeArmorHostPolicy", file: "usb.yaml" }] }),
	);
	expect(document.policies.map(({ packets, bytes }) => [packets, bytes === 0])).toEqual([
		[7, false],
		[0, true],
	]);
});

/** Whether status shows a document as in force, with the enforcers so. */
function shownInForce(document: PolicyState, parts: Parameters<typeof sampleState>[1]): boolean | undefined {
	return policyStates([document], sampleState({}, parts).enforcers)[0]?.enforced;
}

test("nothing is shown as enforced while its enforcer is not active, or before the kernel has it", () => {
	const device = { ...policy, kind: "KubeArmorHostPolicy" };
	const unavailable = { state: "unavailable", reason: "r" } as const;
	const network = { state: { ...sampleNetwork.state, ...unavailable } };
	const usb = { state: { ...sampleUsb.state, ...unavailable } };
	expect([shownInForce(policy, {}), shownInForce(device, {})]).toEqual([true, true]);
	expect([shownInForce(policy, { network }), shownInForce(device, { network })]).toEqual([false, true]);
	expect([shownInForce(policy, { usb }), shownInForce(device, { usb })]).toEqual([true, false]);
	expect(shownInForce(policy, { network: { inForce: new Set() } })).toBe(false);
});

test("a kind that no enforcer reads is in force nowhere, and nobody counts for it", () => {
	const other = { ...policy, kind: "SomeOtherPolicy" };
	const { enforcers } = sampleState();
	expect(shownInForce(other, {})).toBe(false);
	expect(trafficOf(other, enforcers)).toBe(null);
	expect(trafficOf(policy, enforcers)).toMatchObject({ packets: 7 });
	expect(trafficOf({ ...policy, kind: "KubeArmorHostPolicy" }, enforcers)).toBe(null);
});

test("what two enforcers count for one policy is added up", () => {
	const [network] = sampleState().enforcers;
	if (network === undefined) throw new Error("the sample has an enforcer");
	const both = [network, { ...network, name: "other" }];
	expect(trafficOf(policy, both)).toEqual({ packets: 14, bytes: 840, decisions: { Block: 14 } });
});

const conditions: [Partial<PolicyState>, PolicyCondition][] = [
	[{}, "enforced"],
	[{ diagnostics: [diagnostic("warning")] }, "enforced"],
	[{ diagnostics: [diagnostic("error")] }, "last_good"],
	[{ diagnostics: [diagnostic("error")], enforced: false }, "invalid"],
	[{ diagnostics: [diagnostic("error")], enforced: false, selected: false, action: null }, "invalid"],
	[{ enforced: false, selected: false }, "not_selected"],
	[{ enforced: false }, "refused"],
];
test.each(conditions)("%j is %s", (overrides, condition) => {
	expect(policyCondition({ ...policy, ...overrides })).toBe(condition);
});
