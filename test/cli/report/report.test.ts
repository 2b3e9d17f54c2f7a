import { expect, test } from "bun:test";
import { join } from "node:path";
import { policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

/** Of these one is no alert. */
const alertLines = [
	{
		Timestamp: 1,
		UpdatedTime: "2026-01-02T03:04:05.000000Z",
		Tags: "PENDING-CHANGE",
		Action: "Audit",
		Resource: "/etc/portward/policies",
		PolicyName: "",
		Message: "a change rolled back",
	},
	{ UpdatedTime: 5 },
]
	.map((alert) => `${JSON.stringify(alert)}\n`)
	.join("");

async function report(...args: readonly string[]) {
	using files = new Files({
		"p.yaml": policy("p", { action: "Allow", ingress: [{ ports: [port("TCP", 443)] }] }),
	});
	const alerts = join(files.path, ".alerts");
	await Bun.write(alerts, alertLines);
	files.config({ policyDir: files.path, stateDir: join(files.path, "state"), alerts: { file: alerts } });
	return await portward("report", "--config", join(files.path, ".config"), ...args);
}

test("html has the lines, the drawing and the controls of the profile", async () => {
	const { code, out } = await report("--profile", "pci");
	expect(code).toBe(0);
	expect(out).toStartWith("<!doctype html>");
	expect(out).toContain("PCI DSS v4.0.1");
	expect(out).toContain("1.3.1 Inbound traffic");
	expect(out).toContain('<svg xmlns="http://www.w3.org/2000/svg"');
	expect(out).toContain("not established");
});

test("md and json say the same, and --json is --format json", async () => {
	const { out } = await report("--format", "md");
	expect(out).toContain("## Network policies are enforced: not established");
	const json = JSON.parse((await report("--json")).out);
	expect(json).toMatchObject({ profile: null, lines: expect.any(Array) });
	expect(Object.keys(JSON.parse((await report("--format", "json")).out))).toEqual(Object.keys(json));
});

test("the alert file is read, and of it what is an alert", async () => {
	const lines: { id: string; text: string; details?: unknown }[] = JSON.parse(
		(await report("--json")).out,
	).lines;
	expect(JSON.stringify(lines)).toContain("a change rolled back");
});

test("other profiles and formats are refused", async () => {
	expect((await report("--profile", "iso")).error).toContain("cis, stig-rhel9, pci");
	expect((await report("--format", "pdf")).code).not.toBe(0);
	expect((await report("--json", "--format", "md")).code).not.toBe(0);
});
