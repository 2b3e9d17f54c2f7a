/** policyTests: tests beside policies run before these are taken. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { PolicyEngine } from "../../../src/engine/policy-engine.ts";
import { devicePolicy } from "../../enforcers/usb/support/shapes.ts";
import { policy, port } from "../../system/support/case.ts";
import { type Told, told } from "../support/told.ts";

let home: string;
let directory: string;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-gate-"));
	directory = join(home, "policies");
	mkdirSync(directory);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const blocking = (number: number) =>
	policy("p", { action: "Block", message: `${number}`, ingress: [{ ports: [port("TCP", number)] }] });
const expects = (number: number, more = "") => `apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: t }
spec:
  cases:
  - { name: closed, direction: ingress, protocol: tcp, address: 192.0.2.1, port: ${number}, expect: Block, policy: p }
${more}`;

const engine = () =>
	new PolicyEngine({
		...{ directory, stateDirectory: join(home, "state"), checkPermissions: false, hostname: "h1" },
		config: defaultConfig(),
	});

function reload(running: PolicyEngine, config: Partial<Config>): Told {
	const reloaded = told(running.reload({ ...defaultConfig(), ...config }));
	if (reloaded.plan) expect(running.keep()).toBeNull();
	return reloaded;
}

const enforce = { policyTests: "enforce" } as const;
/** The ports that the plan blocks, as the policies' messages name them. */
const ports = ({ plan }: Told) => plan?.rules.map(({ message }) => message);

test("a set whose tests pass is taken, and says so", () => {
	put("p.yaml", blocking(80));
	put("t.yaml", expects(80));
	const reloaded = reload(engine(), enforce);
	expect(reloaded.tests).toEqual({ mode: "enforce", passed: 1, failed: 0, refuses: false, findings: [] });
	expect([ports(reloaded), reloaded.complete, reloaded.withheld]).toEqual([["80"], true, false]);
});

test("a failing test refuses the set, and the last good stays, also over a restart", () => {
	put("p.yaml", blocking(80));
	put("t.yaml", expects(80));
	const running = engine();
	reload(running, enforce);
	put("p.yaml", blocking(81));
	for (const one of [running, engine()]) {
		const reloaded = reload(one, enforce);
		expect(ports(reloaded)).toEqual(["80"]);
		expect(reloaded).toMatchObject({ complete: false, lastGood: true, withheld: false });
		expect(reloaded.tests).toMatchObject({ passed: 0, failed: 1, refuses: true });
		expect(reloaded.diagnostics).toContainEqual(
			expect.objectContaining({
				code: "test-failed",
				severity: "error",
				file: join(directory, "t.yaml"),
				line: 6,
				message: "test t: closed: Allow as no rule matches, expected Block by p",
			}),
		);
	}
	put("t.yaml", expects(81));
	expect(ports(reload(running, enforce))).toEqual(["81"]);
});

test("without anything good before, nothing is put in force, so that nothing opens", () => {
	put("p.yaml", blocking(80));
	put("t.yaml", expects(81));
	const reloaded = reload(engine(), enforce);
	expect(reloaded).toMatchObject({ plan: null, complete: false, withheld: true });
});

test("with warn the set is taken, and the failure is a warning", () => {
	put("p.yaml", blocking(80));
	put("t.yaml", expects(81));
	const reloaded = reload(engine(), {});
	expect([ports(reloaded), reloaded.complete]).toEqual([["80"], true]);
	expect(reloaded.tests).toMatchObject({ mode: "warn", failed: 1, refuses: false });
	expect(reloaded.diagnostics).toMatchObject([{ code: "test-failed", severity: "warning" }]);
});

test("a test that is broken or cannot be run is not passed", () => {
	put("p.yaml", blocking(80));
	put("t.yaml", expects(80).replace("Block,", "Deny,"));
	expect(reload(engine(), enforce)).toMatchObject({
		plan: null,
		tests: { refuses: true, passed: 0, failed: 0 },
	});
	put("t.yaml", expects(80, "  settings: { hostDefaultNetworkPosture: open }\n"));
	expect(reload(engine(), enforce)).toMatchObject({ plan: null, tests: { refuses: true } });
	rmSync(join(directory, "t.yaml"));
	expect(reload(engine(), enforce)).toMatchObject({ tests: null, complete: true });
});

test("policies for other hosts are tested as that host", () => {
	put("p.yaml", blocking(80).replace(/"matchLabels":\{[^}]*\}/u, '"matchLabels":{"role":"db"}'));
	put("t.yaml", expects(80, "  nodeLabels: { role: db }\n"));
	const reloaded = reload(engine(), enforce);
	expect(reloaded.tests).toMatchObject({ passed: 1, refuses: false });
	expect(reloaded.plan?.rules).toEqual([]);
});

test("cases about devices count as well", () => {
	put("usb.yaml", devicePolicy("usb", [{ class: "MASS-STORAGE", action: "Block" }]));
	const device = (expected: string) =>
		expects(80)
			.split("\n")
			.slice(0, 5)
			.concat(`  - { device: { class: MASS-STORAGE }, expect: ${expected}, policy: usb }`, "")
			.join("\n");
	put("t.yaml", device("Block"));
	expect(reload(engine(), enforce).tests).toMatchObject({ passed: 1, refuses: false });
	put("t.yaml", device("Allow"));
	expect(reload(engine(), enforce).tests).toMatchObject({ failed: 1, refuses: true });
});

test("many findings are bounded", () => {
	const lines = Array.from(
		{ length: 50 },
		(_, index) =>
			`  - { direction: ingress, protocol: tcp, address: 192.0.2.1, port: ${index + 1}, expect: Block }`,
	);
	put("p.yaml", blocking(80));
	put("t.yaml", `${expects(80)}${lines.join("\n")}\n`);
	const { tests } = reload(engine(), enforce);
	expect(tests?.failed).toBe(50);
	expect(tests?.findings).toHaveLength(21);
	expect(tests?.findings.at(-1)?.message).toContain("and 30 more");
});
