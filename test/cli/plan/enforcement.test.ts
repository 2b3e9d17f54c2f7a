/** What the offline commands say of `enforcement: audit`. */

import { expect, test } from "bun:test";
import { policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const ssh = policy("no-ssh", { action: "Block", ingress: [{ ports: [port("TCP", "ssh")] }] });

test("explain gives the verdict that is in force and the one that is meant", async () => {
	using files = new Files({ "ssh.yaml": ssh });
	const flags = ["--policy-dir", files.path, "--config"];
	const packet = ["ingress", "tcp", "192.0.2.7", "22"];
	const audited = files.config({ enforcement: "audit" });
	const { code, out } = await portward("explain", ...flags, audited, ...packet);
	expect(code).toBe(0);
	expect(out).toMatch(/^Audit: no-ssh ingress\[0\]/);
	expect(out).toContain("Block once it is enforced; the settings say enforcement: audit");
	const json = async () =>
		JSON.parse((await portward("explain", "--json", ...flags, audited, ...packet)).out);
	expect(await json()).toMatchObject({ action: "Audit", wouldBe: "Block", policy: "no-ssh" });
	files.config();
	expect(await json()).not.toHaveProperty("wouldBe");
});

test("validate and plan warn of it", async () => {
	using files = new Files({ "ssh.yaml": ssh });
	using state = new Files();
	using fresh = new Files({ "ssh.yaml": ssh.replace('"ssh"', "23") });
	const config = files.config({ enforcement: "audit", policyDir: files.path, stateDir: state.path });
	const validated = await portward("validate", files.path, "--config", config);
	expect([validated.code, validated.out]).toEqual([0, "1 valid, 0 errors, 1 warning\n"]);
	expect(validated.error).toContain("[enforcement-audit]");
	const plan = await portward("plan", "--policy-dir", fresh.path, "--config", config);
	expect([plan.code, plan.error]).toEqual([2, expect.stringContaining("[enforcement-audit]")]);
	const planned = await portward("plan", "--json", "--policy-dir", fresh.path, "--config", config);
	const { diagnostics }: { diagnostics: { code: string }[] } = JSON.parse(planned.out);
	expect(diagnostics.map(({ code }) => code)).toContain("enforcement-audit");
});

test("plan counts what does not select this host, and says so in JSON", async () => {
	using state = new Files();
	using fresh = new Files({ "ssh.yaml": ssh.replace('"*"', '"elsewhere"') });
	const config = state.config({ policyDir: `${state.path}/none`, stateDir: state.path });
	const plan = await portward("plan", "--policy-dir", fresh.path, "--config", config);
	expect(plan.error).toContain("1 of 1 policies do not select this host");
	const planned = await portward("plan", "--json", "--policy-dir", fresh.path, "--config", config);
	expect(JSON.parse(planned.out)).toMatchObject({ unselected: "1 of 1 policies do not select this host" });
});
