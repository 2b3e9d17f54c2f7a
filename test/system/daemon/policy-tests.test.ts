/** policyTests: enforce with a real daemon and real packets: what fails its tests is refused, wherever it comes from. */

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const config = { policyTests: "enforce" };

const expects = (port: number) => `apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: t }
spec:
  cases:
  - { name: closed, direction: ingress, protocol: tcp, address: 192.0.2.1, port: ${port}, expect: Block }
`;
const portward = (...argv: readonly string[]) => rig.lab.guarded.try([executable(), ...argv]);
const blocked = () => rig.blockedPorts(80, 81, 82);
const tests = async (daemon: Daemon): Promise<unknown> => {
	const document: { tests: unknown } = JSON.parse(await (await daemon.get("/v1/status")).text());
	return document.tests;
};

test("reload, apply and start: a set that fails its tests changes nothing, and it is told everywhere", async () => {
	rig.home.put("a.yaml", blocks("a", 80));
	rig.home.put("t.yaml", expects(80));
	await using daemon = await Daemon.start(rig.lab.guarded, { config }, rig.home);
	expect(await blocked()).toEqual([80]);
	expect(await tests(daemon)).toMatchObject({ mode: "enforce", passed: 1, failed: 0, refused: false });

	await daemon.after(() => rig.home.put("a.yaml", blocks("a", 81)));
	expect(await blocked()).toEqual([80]);
	expect(await tests(daemon)).toMatchObject({ failed: 1, refused: true });
	await daemon.alert("the refusal", ({ Tags, Action }) => Tags === "POLICY-TESTS" && Action === "Block");
	const metrics = await daemon.metrics();
	expect(metrics.get("portward_policy_tests_refused")).toBe(1);
	expect(metrics.get('portward_policy_tests{result="failed"}')).toBe(1);
	const settings = ["--config", rig.home.config];
	const said = portward("status", ...settings).out;
	expect(said).toContain("tests of the policies: 0 passed, 1 failed; the policies on disk are refused");
	expect(said).toContain("warning: the policies on disk are refused, as their tests fail");
	const reloaded = portward("reload", ...settings);
	expect([reloaded.code, reloaded.error + reloaded.out]).toEqual([1, expect.stringContaining("tests fail")]);
	expect(portward("plan", "--policy-dir", rig.home.policies, ...settings).error).toContain(
		"would be refused",
	);

	const fresh = join(rig.home.path, "fresh");
	mkdirSync(fresh);
	writeFileSync(join(fresh, "a.yaml"), blocks("a", 82));
	writeFileSync(join(fresh, "t.yaml"), expects(81));
	const applied = portward("apply", "--policy-dir", fresh, ...settings);
	expect(applied.code).not.toBe(0);
	expect(applied.error).toContain("test t: closed");
	expect(await blocked()).toEqual([80]);

	await daemon.stop("SIGKILL");
	await using second = Daemon.spawn(rig.lab.guarded, { config }, rig.home);
	await second.active();
	expect(await blocked()).toEqual([80]);
	rig.home.put("t.yaml", expects(81));
	await eventually("the set whose tests pass", async () => (await blocked()).join() === "81");
	expect(await tests(second)).toMatchObject({ passed: 1, refused: false });
});
