import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";
import { flowJson, historyText } from "./support/flows.ts";

const web = policy("web", {
	action: "Allow",
	ingress: [
		{ from: [block("192.0.2.0/24")], ports: [port("TCP", 443)] },
		{ ports: [port("TCP", 22)] },
		{ from: [block("192.0.2.7/32")], ports: [port("TCP", 80)], iface: ["eth0"] },
	],
});

const scan = Array.from({ length: 12 }, (_, i) => ({ ...flowJson, remote: "192.0.2.66", port: 443 + i }));

test("rules that allow more than was seen are told with what would be enough, and those that nobody used", async () => {
	using files = new Files({ "flows.json": historyText([flowJson, { ...flowJson, port: 80 }, ...scan]) });
	mkdirSync(join(files.path, "now"));
	files.put("now/web.json", web);
	const settings = files.config({ policyDir: join(files.path, "now"), stateDir: join(files.path, "state") });
	const args = ["recommend", "--narrow", "--from", join(files.path, "flows.json"), "--config", settings];
	const { code, out, error } = await portward(...args);
	expect([code, error]).toEqual([0, ""]);
	expect(out).toContain("web ingress[0] (");
	expect(out).toContain("2 flows came through it, 6 times, and it allows more. Enough would be:\n");
	expect(out).toContain("\n  - action: Allow\n    from:\n    - ipBlock:\n        cidr: 192.0.2.7\n");
	expect(out).toMatch(/web ingress\[1\] .*: nothing came through it since 2026-/u);
	expect(out).not.toContain("ingress[2]");
	const json = JSON.parse((await portward(...args, "--json")).out);
	expect(json.rules).toMatchObject([
		{ policy: "web", direction: "ingress", index: 0, flows: 2, count: 6, unused: false },
		{ index: 1, flows: 0, unused: true, narrower: null },
	]);
	files.put("now/web.json", policy("web", { action: "Allow", ingress: [{ ports: [port("TCP", 0)] }] }));
	expect((await portward(...args)).code).toBe(1);
	files.put("now/web.json", policy("web", { action: "Block", ingress: [{ ports: [port("TCP", 1)] }] }));
	expect((await portward(...args)).out).toBe("No rule allows more than what was seen.\n");
});
