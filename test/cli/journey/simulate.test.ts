import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";
import { flowJson, historyText } from "./support/flows.ts";

const web = policy("web", {
	action: "Allow",
	ingress: [{ from: [block("192.0.2.0/24")], ports: [port("TCP", 443)] }],
});

function lab(flows: readonly object[], settings: Readonly<Record<string, unknown>> = {}): Files {
	const files = new Files({ "flows.json": historyText(flows) });
	mkdirSync(join(files.path, "new"));
	files.put("new/web.json", web);
	files.config({ hostDefaultNetworkPosture: "block", stateDir: join(files.path, "state"), ...settings });
	return files;
}

function run(files: Files, ...more: readonly string[]) {
	const config = ["--config", join(files.path, ".config")];
	return portward("simulate", "--policy-dir", join(files.path, "new"), ...config, ...more);
}

const from = (files: Files) => ["--from", join(files.path, "flows.json")];

describe("simulate", () => {
	test("says by rule what would be blocked, and exits with 2", async () => {
		using files = lab([
			flowJson,
			{ ...flowJson, port: 22, interface: "eth0\u001b", lastSeen: "2026-11-30T09:00:00Z" },
		]);
		const { code, out, error } = await run(files, ...from(files));
		expect([code, error]).toEqual([2, ""]);
		expect(out.split("\n")).toEqual([
			expect.stringMatching(/^Of 2 flows seen since 2026-\d\d-\d\d 00:00 UTC:$/),
			"WOULD BLOCK 1",
			"  1 by DefaultPosture (ingress)",
			"      newest: ingress tcp 22 from 192.0.2.7 on eth0\\x1b, 3 times, last 2026-11-30T09:00:00.000Z",
			"WOULD ALLOW 0",
			"unchanged 1",
			"",
		]);
	});

	test("tells what would pass, and what only in part", async () => {
		using files = lab([
			{ ...flowJson, action: "Block", policy: "old", remote: "192.0.2.0/23" },
			{ ...flowJson, action: "Block", policy: "old" },
			{ ...flowJson, direction: "egress", hook: "output", action: "Block", policy: "old" },
		]);
		const { code, out } = await run(files, ...from(files));
		expect(code).toBe(0);
		expect(out).toContain("WOULD ALLOW 3\n  2 by web ingress[0], 1 of them partly\n");
		expect(out).toContain("  1 by no rule, as egress has no allow-list\n");
	});

	test("heeds --since, and forwarded flows as guests.forwarded says", async () => {
		const guest = { ...flowJson, hook: "forward", guest: "172.17.0.2", port: 22 };
		using files = lab([guest], { guests: { forwarded: "off" } });
		expect((await run(files, ...from(files))).code).toBe(0);
		files.config({ hostDefaultNetworkPosture: "block", guests: { forwarded: "audit" } });
		const { code, out } = await run(files, ...from(files));
		expect([code, out]).toEqual([2, expect.stringContaining("of guest 172.17.0.2")]);
		expect((await run(files, ...from(files), "--since", "2026-11-30T08:01")).code).toBe(0);
	});

	test("fails where the policies have errors, or there are no flows to be had", async () => {
		using files = lab([flowJson]);
		expect((await portward("simulate", ...from(files))).code).toBe(64);
		const none = await run(files);
		expect([none.code, none.error]).toEqual([1, expect.stringContaining("No flows were kept")]);
		files.put("flows.json", historyText([{ ...flowJson, port: 0 }]));
		const wrong = await run(files, ...from(files));
		expect([wrong.code, wrong.error]).toEqual([1, expect.stringContaining("flows.json:1:")]);
		files.put("new/web.json", web.replace("443", "0"));
		const bad = await run(files, ...from(files));
		expect([bad.code, bad.error]).toEqual([1, expect.stringContaining("web.json")]);
	});
});
