/** docs/alerts.md names every field and every kind of alert, as the code has them. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { driftAlert } from "../../src/enforcers/network/report/drift-alert.ts";
import { countersAnewAlert, strayAlert } from "../../src/enforcers/network/report/flow-alert.ts";
import {
	moreNewFlowsAlert,
	newFlowAlert,
} from "../../src/enforcers/network/report/history/new-flow-alert.ts";
import { invalidAlert } from "../../src/enforcers/network/report/invalid-alert.ts";
import { summaryAlerts } from "../../src/enforcers/network/report/summary-alert.ts";
import type { Alert } from "../../src/report/alert.ts";
import { type ChangeStep, changeAlert } from "../../src/report/change-alert.ts";
import { feedAlert } from "../../src/report/feed-status.ts";
import { panicAlert } from "../../src/report/panic-alert.ts";
import { settingsAlert } from "../../src/report/settings-status.ts";
import { serialResetAlert, signatureAlert } from "../../src/report/signature-status.ts";
import { sinkAlert } from "../../src/report/sink-status.ts";
import { throttleAlert } from "../../src/report/sinks/throttle.ts";
import { hostNameAlert } from "../../src/report/system-alert.ts";
import { testsAlert } from "../../src/report/tests-status.ts";
import { flowJson } from "../cli/journey/support/flows.ts";
import { sampleAlert } from "../report/sample.ts";

const root = resolve(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const page = read("docs/alerts.md");

/** The cells of every row of the table whose first heading this is. */
function rows(heading: string, nth = 0): string[][] {
	const table = page.split(`\n| ${heading} |`)[nth + 1]?.split("\n\n")[0] ?? "";
	return table
		.split("\n")
		.slice(2)
		.filter((line) => line.startsWith("|"))
		.map((line) =>
			line
				.slice(1, -1)
				.split("|")
				.map((cell) => cell.trim()),
		);
}

/** What stands in backquotes. */
const quoted = (text = "") => [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

const host = { clusterName: "default", hostName: "vm1", nodeId: "n1" };
const time = 1_771_821_095_104;

test("every field, in the order in which alerts have them, and its type", () => {
	const alert: Readonly<Record<string, unknown>> = { ...sampleAlert() };
	expect(rows("field").map(([name = "", type]) => [quoted(name)[0], type])).toEqual(
		Object.entries(alert).map(([name, value]) => [name, Array.isArray(value) ? "array" : typeof value]),
	);
});

test("every value that a field of few values can have", () => {
	const source = read("src/report/alert.ts");
	for (const field of ["Type", "Operation", "Enforcer", "Result"]) {
		const [, union = ""] = new RegExp(`readonly ${field}: ("[^;]*);`).exec(source) ?? [];
		const values = [...union.matchAll(/"([^"]+)"/g)].map(([, value = ""]) => value);
		expect(values.length).toBeGreaterThan(1);
		for (const value of values)
			expect([field, value, page.includes(`\`${value}\``)]).toEqual([field, value, true]);
	}
	expect(rows("kind (`Type`)").map(([name = ""]) => quoted(name)[0])).toEqual([
		"MatchedNetworkPolicy",
		"MatchedHostPolicy",
		"HostLog",
		"SystemEvent",
	]);
});

describe("details", () => {
	/** Keys that a source gives to its EventData, by assignment and in literals. */
	const given = (path: string) =>
		new Set(
			[...read(path).matchAll(/\b(?:data|names|eventData)\.([A-Z]\w+) =|^\t+([A-Z]\w+)[:,]/gm)].map(
				([, assigned, written]) => assigned ?? written ?? "",
			),
		);
	const fields = new Set(Object.keys(sampleAlert()));

	test("of packets", () => {
		const told = rows("key", 0).flatMap(([keys]) => quoted(keys));
		const known = [...given("src/enforcers/network/report/network-alert.ts")].filter(
			(key) => !fields.has(key),
		);
		expect(told.toSorted()).toEqual(known.toSorted());
	});

	test("of devices", () => {
		const told = rows("key", 1).flatMap(([keys]) => quoted(keys));
		const known = [...given("src/enforcers/usb/report/device-alert.ts"), "Level", "SysPath"].filter(
			(key) => !fields.has(key),
		);
		expect([...new Set(told)].toSorted()).toEqual([...new Set(known)].toSorted());
	});
});

describe("system events", () => {
	const rule = { policy: "p", index: 0, direction: "ingress", action: "Block" } as const;
	const withheld = Array.from({ length: 66 }, () => ({ rule, suppressed: 2, lost: 1 }));
	const asker = { uid: 0, pid: 1, session: { connection: "c", opened: 1 } };
	const change = { id: "c", source: "apply", from: "/d", seconds: 60, asker } as const;
	const step = (name: ChangeStep) => changeAlert(name, change, "why", time, host);
	const stray = { since: time, time, table: "t" };
	const drift = { time, generation: 2, pid: 7, process: "nft", changes: ["newrule"] };
	const failing = { passed: 1, failed: 1, problems: ["t.yaml:1: m"] };
	const feed = { group: "g", file: "/f", problem: "p" };
	const panic = { reason: "drill", since: "2026-01-01T00:00:00Z" };
	const alerts: readonly Alert[] = [
		driftAlert(drift, "t", host),
		strayAlert("loss", 3, stray, host),
		countersAnewAlert(time, "t", host),
		newFlowAlert(
			{ ...flowJson, direction: "egress", hook: "forward", guest: "172.17.0.2", policy: "p" },
			time,
			host,
		),
		moreNewFlowsAlert(2, time, host),
		invalidAlert({ ingress: 1, egress: 2, forward: 0 }, time, host),
		...summaryAlerts(withheld, time, host).filter((_, index) => index === 0 || index === 64),
		hostNameAlert("a", "b", time, host),
		panicAlert(panic, true, "t", time, host),
		panicAlert(panic, false, "t", time, host),
		step("started"),
		step("rolled_back"),
		step("refused"),
		settingsAlert({ problem: "p", restart: "fails" }, "f", time, host),
		signatureAlert("p", "/d", "signed", { Serial: 1, Accepted: 2 }, time, host),
		serialResetAlert("/d", "root", time, host),
		testsAlert({ ...failing, mode: "enforce", refused: true }, "/d", time, host),
		testsAlert({ ...failing, mode: "warn", refused: false }, "/d", time, host),
		feedAlert({ ...feed, state: "last-good", blocks: 7 }, time, host),
		feedAlert({ ...feed, state: "unusable", blocks: null }, time, host),
		throttleAlert({ policy: "p", count: 2, seconds: 30 }, time, host),
		sinkAlert({ name: "s", error: "e", queued: 1 }, { full: 1, refused: 1, lost: 1 }, time, host),
	];
	const told = rows("tag");

	test("each has its row: tag, severity, action and details", () => {
		let before = "";
		const table = told.slice(0, -1).map(([tag, severity, action, details = ""]) => {
			const same = details === "the same" ? before : details;
			before = same;
			return [
				quoted(tag)[0] ?? "",
				severity ?? "",
				action === "the rule's" ? "Block" : (action ?? ""),
				quoted(same),
			];
		});
		expect(alerts.map((one) => [one.Tags, one.Severity, one.Action, Object.keys(one.EventData)])).toEqual(
			table,
		);
	});

	test("no tag of the sources is left out", () => {
		const files = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].map(read);
		const tags = files.flatMap((text) =>
			[...text.matchAll(/tags: \["([^"]+)"\]/g)].map(([, tag = ""]) => tag),
		);
		expect([...new Set(told.map(([tag]) => quoted(tag)[0] ?? ""))].toSorted()).toEqual(
			[...new Set(tags)].toSorted(),
		);
	});
});
