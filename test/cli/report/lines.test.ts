import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { Facts, ToldAlert } from "../../../src/cli/report/facts.ts";
import { type LineId, lineIds, type ReportLine, reportLines } from "../../../src/cli/report/lines.ts";
import { profiles } from "../../../src/cli/report/profiles.ts";
import { reportHtml, reportMarkdown } from "../../../src/cli/report/report-text.ts";
import { statusShape } from "../../../src/cli/status/status-text.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { modelsOf } from "../../../src/engine/testing/models.ts";
import { statusDocument } from "../../../src/report/status.ts";
import { devicePolicy } from "../../enforcers/usb/support/shapes.ts";
import { sampleState } from "../../report/sample.ts";

const time = "2026-01-02T03:04:05.000Z";

const statusOf = (...given: Parameters<typeof sampleState>) =>
	v.parse(statusShape, JSON.parse(JSON.stringify(statusDocument(sampleState(...given)))));

function meaningOf(text: string): Facts["meaning"] {
	const policies = parsePolicyFile("p.yaml", text).documents.flatMap(({ policy }) => policy ?? []);
	const models = modelsOf(policies, "h")({ ...defaultConfig(), hostDefaultDevicePosture: "block" });
	if (!models.ok) throw new Error("does not compile");
	return { ok: true, value: models };
}

const nothing = { ok: false, reason: "the daemon is not running" } as const;
const blockAll = devicePolicy("usb", [{ class: "ALL", action: "Block" }]);

function factsWith(more: Partial<Facts> = {}): Facts {
	return {
		time,
		host: "h",
		version: "0.2.0",
		config: defaultConfig(),
		status: { ok: true, value: statusOf() },
		alerts: { ok: true, value: [] },
		meaning: meaningOf(blockAll),
		exposed: { ok: true, value: ["sshd.service listens on tcp 0.0.0.0:22; reachable from 10.0.0.0/8"] },
		saved: "2026-01-01T00:00:00.000Z",
		distrust: null,
		...more,
	};
}

function line(id: LineId, more: Partial<Facts> = {}): ReportLine {
	const found = reportLines(factsWith(more)).find((one) => one.id === id);
	if (found === undefined) throw new Error(id);
	return found;
}

test("every line is there once, and says how and when it was established", () => {
	const lines = reportLines(factsWith());
	expect(lines.map(({ id }) => id)).toEqual([...lineIds]);
	for (const one of lines) expect([one.how !== "", one.text !== "", one.time]).toEqual([true, true, time]);
});

test("without a daemon, what only it knows is unknown, and nothing of it is claimed", () => {
	const lines = reportLines(
		factsWith({ status: nothing, alerts: nothing, meaning: nothing, exposed: nothing }),
	);
	const claimed = lines.filter(({ state }) => state === "yes" || state === "no").map(({ id }) => id);
	expect(claimed).toEqual(["change-control", "policy-files", "signature"]);
	expect(line("network-enforced", { status: nothing }).text).toContain("the daemon is not running");
});

describe("what is enforced", () => {
	const config = defaultConfig();

	test("holds, with the time of the ruleset", () => {
		expect(line("network-enforced")).toMatchObject({
			state: "yes",
			text: expect.stringContaining("2026-01-01"),
		});
	});

	test.each<readonly [string, Partial<Facts>]>([
		["audit", { config: { ...config, enforcement: "audit" } }],
		["panic", { status: { ok: true, value: statusOf({ panic: { since: time, reason: "drill" } }) } }],
	])("does not hold: %s", (_, more) => {
		expect(line("network-enforced", more).state).toBe("no");
	});

	test.each([
		["block", true, "yes"],
		["audit", true, "no"],
		["block", false, "no"],
	] as const)("default deny: posture %s, allow-list %p: %s", (posture, mode, state) => {
		const value = statusOf();
		const network = { ...value.enforcers.network, posture, allowlistMode: { ingress: mode, egress: false } };
		const status = { ok: true, value: { ...value, enforcers: { ...value.enforcers, network } } } as const;
		expect(line("default-deny-ingress", { status }).state).toBe(state);
		expect(line("default-deny-egress", { status }).state).toBe("no");
		const audit = { ...config, enforcement: "audit" as const };
		expect(line("default-deny-ingress", { status, config: audit }).state).toBe("no");
	});
});

describe("USB", () => {
	test("the lock is what the daemon says", () => {
		const value = statusOf();
		const with_ = (locked: boolean) => {
			const usb = { ...value.enforcers.usb, state: "active", locked };
			return { ok: true, value: { ...value, enforcers: { ...value.enforcers, usb } } } as const;
		};
		expect(line("usb-lock", { status: with_(true) }).state).toBe("yes");
		expect(line("usb-lock", { status: with_(false) }).state).toBe("no");
	});

	test("what nothing names is refused, or is let in, class by class", () => {
		expect(line("usb-default-deny")).toMatchObject({ state: "yes", details: [] });
		const sticks = meaningOf(devicePolicy("usb", [{ class: "MASS-STORAGE", action: "Block" }]));
		const { state, text, details } = line("usb-default-deny", { meaning: sticks });
		expect([state, text]).toEqual(["no", expect.stringContaining("253 of 254 classes")]);
		expect(details).toContain("HID");
		expect(details).not.toContain("MASS-STORAGE");
		// An Allow for one vendor's keyboards makes an allow-list: no unknown device of the class passes.
		const vendor = meaningOf(devicePolicy("usb", [{ class: "HID", vendorId: "046d", action: "Allow" }]));
		expect(line("usb-default-deny", { meaning: vendor }).state).toBe("yes");
	});
});

const alert = (more: Partial<ToldAlert>): ToldAlert => ({
	time,
	tags: "",
	operation: "System",
	action: "Audit",
	result: "Passed",
	resource: "r",
	policy: "",
	message: "m",
	data: {},
	...more,
});

test("refusals, drift and changes are told with who and when, the newest first", () => {
	const alerts = {
		ok: true,
		value: [
			alert({
				operation: "Device",
				result: "Permission denied",
				resource: "USB HID",
				policy: "usb",
				data: { Product: "Stick" },
			}),
			alert({ operation: "Device", result: "Passed", resource: "USB AUDIO" }),
			alert({ tags: "DRIFT", data: { Process: "nft", PID: "7" } }),
			alert({ tags: "PENDING-CHANGE", message: "first", data: { Change: "a", Step: "started" } }),
			alert({
				tags: "PENDING-CHANGE",
				message: "second",
				data: { Change: "a", Step: "confirmed", UID: "0", PID: "9", Session: "192.0.2.7" },
			}),
		],
	} as const;
	expect(line("usb-refusals", { alerts }).details).toEqual([`${time} USB HID Stick by usb: m`]);
	expect(line("drift", { alerts }).details).toEqual([`${time} m by nft (7)`]);
	expect(line("changes", { alerts }).details).toEqual([
		`${time} change a: second; asked for by uid 0, process 9, session 192.0.2.7`,
		`${time} change a: first`,
	]);
});

test("settings: what has to be confirmed, signed and tested", () => {
	const config = {
		...defaultConfig(),
		confirm: "required",
		policySignature: "required",
		policyTests: "enforce",
	} as const;
	const signature = { ok: true, serial: 3, problem: null, remedy: "", standing: null };
	const tests = { mode: "enforce", passed: 2, failed: 0, refused: false, problems: [] } as const;
	const status = { ok: true, value: statusOf({ signature, tests }) } as const;
	for (const id of ["change-control", "signature", "tests"] as const)
		expect([id, line(id, { config, status }).state]).toEqual([id, "yes"]);
	expect(line("tests").state).toBe("no");
	expect(line("signature", { config }).state).toBe("unknown");
	expect(line("policy-files", { distrust: "others can write /p" })).toMatchObject({ state: "no" });
});

describe("as a text", () => {
	const hostile = "</p><script>alert(1)</script> [x](javascript:1) \u001b[31m";
	const found = {
		...{ time, host: hostile, version: "0.2.0", profile: profiles["stig-rhel9"], drawing: null },
		lines: reportLines(factsWith({ exposed: { ok: true, value: [hostile] } })).map((one) => ({
			...one,
			controls: profiles["stig-rhel9"].controls[one.id] ?? [],
		})),
	};

	test("HTML is one file, loads nothing, and has no markup of others", () => {
		const text = reportHtml(found);
		expect(text).not.toContain("<script");
		expect(text).not.toContain("\u001b");
		expect(text).not.toMatch(/(?:src|href)=/u);
		expect(text).toContain("V-258038 (RHEL-09-291030)");
		expect(text).toContain("@media print");
	});

	test("Markdown has no links and no markup of others", () => {
		const text = reportMarkdown(found);
		expect(text).not.toContain("](javascript");
		expect(text).not.toContain("<script>");
		expect(text).toContain("## USB devices that no policy names are refused: yes");
	});
});

test("profiles name lines that there are", () => {
	const known = new Set<string>(lineIds);
	for (const { controls } of Object.values(profiles))
		expect(Object.keys(controls).filter((id) => !known.has(id))).toEqual([]);
});
