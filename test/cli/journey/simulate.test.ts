import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { FlowStore } from "../../../src/enforcers/network/history/flow-store.ts";
import { saveHistory } from "../../../src/enforcers/network/history/saved-history.ts";
import { presentDevices } from "../../../src/enforcers/usb/observe/present.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { devicePolicy, keyboard, stick } from "../../enforcers/usb/support/shapes.ts";
import { violations } from "../../support/json-schema.ts";
import { block, documents, policy, port } from "../../system/support/case.ts";
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

	test("a flow that fares by its sender cannot be told, and what no sender changes is", async () => {
		const egress = { ...flowJson, direction: "egress", hook: "output" };
		const guest = { ...egress, hook: "forward", guest: "172.17.0.2" };
		using files = lab([egress, { ...egress, port: 22 }, { ...egress, port: 53 }, flowJson, guest]);
		const egressRules = [
			{ user: "root", ports: [port("TCP", 443)] },
			{ service: "web", ports: [port("TCP", 22)] },
			{ ports: [port("TCP", 22)], action: "Audit" },
			{ user: 7, ports: [port("TCP", 53)] },
			{ ports: [port("TCP", 53)] },
		];
		files.put("new/web.json", documents(web, policy("who", { action: "Block", egress: egressRules })));
		const told = await run(files, ...from(files), "--json");
		const found = JSON.parse(told.out);
		expect(violations(found, "simulate")).toEqual([]);
		// That of a guest has no sender, and passes.
		expect([told.code, found]).toMatchObject([2, { wouldBlock: 1, wouldAllow: 0, unchanged: 2, untold: 2 }]);
		const { out } = await run(files, ...from(files));
		expect(out).toContain("cannot be told 2: rules name who sends, and of these flows that is not known\n");
		files.put("new/web.json", web);
		expect((await run(files, ...from(files))).out).not.toContain("cannot be told");
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

describe("the USB devices that came", () => {
	test("are judged by the entries of the new policies", async () => {
		const kernel = new FakeKernel();
		using files = lab([]);
		try {
			kernel.plug("1-1", keyboard);
			kernel.plug("1-2", stick);
			const present = (presentDevices(kernel.root) ?? []).filter(({ device }) => device.level > 0);
			const devices = present.map(({ device }, at) => ({
				...{ device, verdict: { state: at === 0 ? "refused" : "authorized", reason: null, functions: [] } },
				...{ instance: `i${at}`, count: 2, firstSeen: 1_000, lastSeen: 90_000_000 + at },
			}));
			const state = join(files.path, "state");
			const kept = { version: 1, boot: "b", since: 0, lost: 0, devices };
			expect(writeState(join(state, "usb-history.json"), kept)).toBeNull();
			const store = new FlowStore({ maxFlows: 10, seed: 1, since: 1_000 });
			expect(writeState(join(state, "seen-flows.json"), saveHistory(store))).toBeNull();
			files.config({ stateDir: state, table: "nowhere", status: { address: "unix:/nowhere/s.sock" } });
			files.put("new/usb.json", devicePolicy("no-disks", [{ class: "MASS-STORAGE", action: "Block" }]));
			const { code, out } = await run(files, "--json");
			const found: unknown = JSON.parse(out);
			expect(violations(found, "simulate")).toEqual([]);
			const usb = { wouldBlock: 1, wouldAllow: 1, unchanged: 0 };
			expect([code, found]).toMatchObject([2, { wouldBlock: 0, usb }]);
			expect(found).toMatchObject({
				usb: {
					rules: [
						{ policy: "no-disks", index: 0, change: "wouldBlock", count: 1, example: { port: "1-2" } },
						{ policy: null, index: null, change: "wouldAllow", example: { port: "1-1" } },
					],
				},
			});
			const text = await run(files);
			expect(text.code).toBe(2);
			expect(text.out).toContain("Of 2 USB devices that came:\nWOULD BLOCK 1\n  1 by no-disks device[0]\n");
			expect(text.out).toContain("WOULD ALLOW 1\n  1 by no entry\n      newest: 1-1 ");
			const later = JSON.parse((await run(files, "--json", "--since", "1970-02-01")).out);
			expect(later.usb).toEqual({ wouldBlock: 0, wouldAllow: 0, unchanged: 0, rules: [] });
			const other = JSON.parse((await run(files, "--json", ...from(files))).out);
			expect(other.usb).toBeNull();
			files.put("state/usb-history.json", "{");
			files.put("state/usb-history.previous.json", "{");
			expect((await run(files)).error).toContain("usb-history.json");
		} finally {
			kernel.remove();
		}
	});
});
