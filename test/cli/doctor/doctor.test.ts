import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import { Certificates } from "../../support/certificates.ts";
import { block, policy } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

async function ask(files: Files, settings: object = {}) {
	const config = files.config({ policyDir: files.path, stateDir: files.path, ...settings });
	const ended = await portward("doctor", "--config", config, "--json");
	const { ok, findings } = JSON.parse(ended.out) as { ok: boolean; findings: readonly Finding[] };
	const of = (check: string) => findings.filter((finding) => finding.check === check);
	return { ...ended, ok, findings, of };
}

test("every check has a line, and the worst decides the exit code", async () => {
	using files = new Files({ "a.yaml": policy("a", { ingress: [{ from: [block("10.0.0.0/8")] }] }) });
	const { code, error, ok, findings, of } = await ask(files);
	expect(error).toBe("");
	const checks = new Set(findings.map(({ check }) => check));
	for (const check of ["kernel", "nf_tables", "libraries", "settings", "policies", "interfaces"])
		expect(checks).toContain(check);
	for (const check of ["usb", "certificates", "clock", "disk"]) expect(checks).toContain(check);
	const states = findings.map(({ state }) => state);
	expect(code).toBe(states.includes("error") ? 1 : states.includes("warning") ? 2 : 0);
	expect(ok).toBe(code === 0);
	expect(of("policies")).toEqual([
		{ check: "policies", state: "ok", message: `1 in ${files.path} are for this host`, remedy: "" },
	]);
	expect(of("certificates")).toMatchObject([{ state: "ok" }]);
	expect(of("disk")).toMatchObject([{ message: expect.stringMatching(/MiB left$/u) }]);
	const logging = await ask(files, { alerts: { file: join(files.path, "alerts.json") } });
	expect(logging.of("disk")).toHaveLength(1);
});

test("interfaces that are not there, broken policies and settings, and a certificate that ends soon", async () => {
	using files = new Files({ "a.yaml": policy("a", { ingress: [{ iface: ["eth-none0"] }] }) });
	using pem = new Certificates();
	const own = pem.selfSigned("portward.example");
	const { of } = await ask(files, { status: { tls: own } });
	expect(of("interfaces")).toMatchObject([
		{ state: "warning", message: expect.stringContaining('"eth-none0" matches nothing now') },
	]);
	// It is made for two days.
	expect(of("certificates")).toMatchObject([
		{ state: "warning", message: expect.stringMatching(/portward\.example\.pem expires on .*, in 1 day$/u) },
	]);
	const missing = await ask(files, { status: { tls: { ...own, cert: join(files.path, "none.pem") } } });
	expect(missing.code).toBe(1);
	expect(missing.of("certificates")).toMatchObject([{ state: "error" }]);
	files.put("b.yaml", "a: [");
	const broken = await ask(files, { hostDefaultNetworkPosture: "x" });
	expect(broken.code).toBe(1);
	expect(broken.of("settings")).toMatchObject([
		{ state: "error", remedy: expect.stringContaining("validate") },
	]);
	files.config({ policyDir: files.path, stateDir: files.path });
	const text = await portward("doctor", "--config", join(files.path, ".config"));
	expect(text.code).toBe(1);
	expect(text.out).toContain(
		`error    policies: ${files.path} has files with errors\n         do: portward validate`,
	);
	expect(text.out).toMatch(/\n\d+ errors?, \d+ warnings?\n$/u);
});
