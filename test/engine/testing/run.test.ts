import { expect, test } from "bun:test";
import { defaultConfig } from "../../../src/config/parse.ts";
import { asideOf } from "../../../src/document/parse.ts";
import { readPolicySet } from "../../../src/engine/policy-set.ts";
import { policyTestKind } from "../../../src/engine/testing/kind.ts";
import { modelsIn } from "../../../src/engine/testing/models.ts";
import { describeFailure, runTests } from "../../../src/engine/testing/run.ts";
import { Files } from "../../cli/support/portward.ts";
import { block, policy } from "../../system/support/case.ts";

const cases = (settings: string) => `
apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: t }
spec:
  settings: { ${settings} }
  cases:
  - { name: blocked, direction: ingress, protocol: tcp, address: 192.0.2.1, port: 22, expect: Block, policy: p }
  - { name: passes, direction: ingress, protocol: tcp, address: 198.51.100.1, port: 22, expect: Block }
`;

function run(settings: string) {
	using files = new Files({
		"p.yaml": policy("p", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] }),
		"t.yaml": cases(settings),
	});
	const config = defaultConfig();
	const { asides } = readPolicySet([files.path], config);
	const tests = asides.flatMap((document) => asideOf(policyTestKind, document));
	return runTests(tests, modelsIn(files.path), config);
}

test("each case is held against the model, and rules that decided are covered", () => {
	const { results, covered, rules, diagnostics } = run("");
	expect(results.map(({ name, ok, actual }) => [name, ok, actual])).toEqual([
		["blocked", true, "Block"],
		["passes", false, "Allow"],
	]);
	expect([...covered]).toEqual([...rules]);
	expect(diagnostics).toEqual([]);
});

test("settings that are wrong are told at the test, and nothing is run", () => {
	const { results, diagnostics } = run("hostDefaultNetworkPosture: open");
	expect(results).toEqual([]);
	expect(diagnostics[0]).toMatchObject({ severity: "error" });
	expect(diagnostics[0]?.path).toContain("spec.settings");
});

test("a case says who sends, and names that the host does not know mean somebody as well", () => {
	const packet = { direction: "egress", protocol: "udp", address: "192.0.2.53", port: 53 };
	using files = new Files({
		"p.yaml": policy("p", {
			action: "Block",
			egress: [
				{ ports: [{ protocol: "UDP", port: 53 }] },
				{ action: "Audit", user: ["portward-stranger"], ports: [{ protocol: "UDP", port: 53 }] },
				{ action: "Allow", service: "resolver", ports: [{ protocol: "UDP", port: 53 }] },
				{ action: "Allow", group: 4242, ports: [{ protocol: "UDP", port: 53 }] },
				{ action: "Allow" },
			],
		}),
		"t.yaml": JSON.stringify({
			apiVersion: "portward.io/v1",
			kind: "PortwardTest",
			metadata: { name: "t" },
			spec: {
				cases: [
					{ ...packet, expect: "Block" },
					{ ...packet, user: "portward-stranger", expect: "Audit" },
					{ ...packet, user: "portward-other", expect: "Block" },
					{ ...packet, user: "root", expect: "Block" },
					{ ...packet, service: "resolver.service", expect: "Allow" },
					{ ...packet, group: "4242", expect: "Allow" },
				],
				tables: [
					{
						direction: "egress",
						user: "portward-stranger",
						columns: ["udp 53"],
						rows: { "192.0.2.53": "A" },
					},
				],
			},
		}),
	});
	const config = defaultConfig();
	const tests = readPolicySet([files.path], config).asides.flatMap((one) => asideOf(policyTestKind, one));
	const { results, covered, diagnostics } = runTests(tests, modelsIn(files.path), config);
	expect(diagnostics).toEqual([]);
	expect(results.map(({ ok, name, actual }) => [ok, name, actual])).toEqual([
		[true, "egress udp 53 192.0.2.53", "Block"],
		[true, "egress udp 53 192.0.2.53 by user portward-stranger", "Audit"],
		[true, "egress udp 53 192.0.2.53 by user portward-other", "Block"],
		[true, "egress udp 53 192.0.2.53 by user root", "Block"],
		[true, "egress udp 53 192.0.2.53 by service resolver.service", "Allow"],
		[true, "egress udp 53 192.0.2.53 by group 4242", "Allow"],
		[true, "egress table: 192.0.2.53 udp 53", "Audit"],
	]);
	expect(covered.size).toBe(4);
});

/** A policy for guests alone, one for the host alone, and cases that tell the two apart. */
function runGuests(forwarded: string) {
	const only = (side: string, name: string, spec: Parameters<typeof policy>[1]) => {
		const document = JSON.parse(policy(name, spec));
		document.metadata.annotations = { "portward.io/applies-to": side };
		return JSON.stringify(document);
	};
	const from = [{ from: [block("192.0.2.0/24")] }];
	const packet = { protocol: "tcp", port: 25 };
	using files = new Files({
		"guests.yaml": only("guests", "guests", {
			action: "Block",
			ingress: from,
			egress: [{ to: [block("2001:db8::/32")] }],
		}),
		"host.yaml": only("host", "host", { action: "Audit", ingress: from }),
		"t.yaml": JSON.stringify({
			apiVersion: "portward.io/v1",
			kind: "PortwardTest",
			metadata: { name: "t" },
			spec: {
				settings: { guests: { forwarded } },
				cases: [
					{ ...packet, direction: "ingress", address: "192.0.2.1", expect: "Audit", policy: "host" },
					{ ...packet, direction: "ingress", address: "192.0.2.1", guest: "172.17.0.2", expect: "Block" },
					{ ...packet, direction: "egress", address: "2001:db8::1", guest: "fd00::2", expect: "Block" },
				],
			},
		}),
	});
	const config = defaultConfig();
	const { asides, diagnostics } = readPolicySet([files.path], config);
	expect(diagnostics).toEqual([]);
	const tests = asides.flatMap((document) => asideOf(policyTestKind, document));
	return runTests(tests, modelsIn(files.path), config);
}

test.each([
	["enforce", "Block", "guests", 3],
	["audit", "Audit", "guests", 3],
	["off", "Allow", null, 1],
] as const)("a case of a guest asks about what is forwarded: %s", (forwarded, action, policy, covered) => {
	const run = runGuests(forwarded);
	expect(run.diagnostics).toEqual([]);
	expect(run.results.map(({ ok, actual, policy }) => [ok, actual, policy])).toEqual([
		[true, "Audit", "host"],
		[action === "Block", action, policy],
		[action === "Block", action, policy],
	]);
	expect([...run.covered].sort()).toEqual([...run.rules].sort());
	expect(run.rules.size).toBe(covered);
	const told = run.results.slice(1).map(describeFailure);
	if (forwarded === "off")
		expect(told[0]).toBe(
			"Allow as guests.forwarded is off, so policies are not asked about what is forwarded, expected Block",
		);
});
