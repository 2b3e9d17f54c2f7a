import { describe, expect, test } from "bun:test";
import { readiness } from "../../src/daemon/readiness.ts";
import type { DocumentReport, Reading } from "../../src/enforcers/contract/reading.ts";
import { networkReport } from "../../src/enforcers/network/report/network-report.ts";
import { usbReport } from "../../src/enforcers/usb/report/usb-report.ts";
import type { EnforcerState } from "../../src/report/contribution.ts";
import { sampleNetwork, sampleUsb } from "../report/sample.ts";

const network = (state: EnforcerState["state"], reason = "") =>
	networkReport({ ...sampleNetwork, state: { ...sampleNetwork.state, state, reason } });
/** @param entries of device policies */
const usb = (state: EnforcerState["state"], entries: number) =>
	usbReport({ ...sampleUsb, entries, state: { ...sampleUsb.state, state, reason: "no sysfs" } });
const enforcers = (state: EnforcerState["state"], reason = "") => [network(state, reason), usb("active", 0)];
const fine = { failure: "", complaint: "", pends: false };
const document = (over: Partial<DocumentReport> = {}): DocumentReport => ({
	name: "a",
	kind: "KubeArmorNetworkPolicy",
	file: "/p/a.yaml",
	line: 3,
	selected: true,
	enforced: true,
	origin: "current",
	action: "Block",
	diagnostics: [],
	...over,
});
const error = {
	file: "/p/a.yaml",
	line: 4,
	column: 1,
	path: "spec",
	severity: "error",
	code: "bad-cidr",
	message: "m",
	hint: "",
} as const;
const reloaded = (over: Partial<Reading & { rules: number }> = {}): Reading & { rules: number } => ({
	documents: [document()],
	diagnostics: [],
	complete: true,
	lastGood: false,
	withheld: true,
	rules: 0,
	...over,
});

describe("readiness", () => {
	test("what is enforced is what is on disk", () => {
		expect(readiness(reloaded(), enforcers("active"), fine)).toEqual({
			ready: true,
			body: "ready: what is on disk is enforced",
		});
	});

	test("what waits for its confirmation is ready, and said", () => {
		expect(readiness(reloaded(), enforcers("active"), { ...fine, pends: true })).toEqual({
			ready: true,
			body: "ready: a change waits for its confirmation",
		});
	});

	test("a last good version that stands in is ready, and said", () => {
		const state = readiness(
			reloaded({ lastGood: true, documents: [document({ origin: "last-good", diagnostics: [error] })] }),
			enforcers("active"),
			fine,
		);
		expect(state).toEqual({
			ready: true,
			body: "ready: the last good version of what is broken on disk is enforced",
		});
	});

	test("a broken document that nothing stands in for is not ready, and named", () => {
		const documents = [document({ origin: "none", enforced: false, diagnostics: [error] })];
		const state = readiness(reloaded({ complete: false, documents }), enforcers("active"), fine);
		expect(state).toEqual({ ready: false, body: "not ready: not enforced: /p/a.yaml:3" });
	});

	test("a refused set is ready while an earlier one stands in, and not ready where there is none", () => {
		const refused = (rules: number) =>
			reloaded({
				complete: false,
				lastGood: true,
				documents: [document({ enforced: false, diagnostics: [error] })],
				withheld: false,
				rules,
			});
		expect(readiness(refused(1), enforcers("active"), fine)).toMatchObject({ ready: true });
		expect(readiness(refused(0), enforcers("active"), fine)).toEqual({
			ready: false,
			body: "not ready: not enforced: the set of policies",
		});
	});

	test("an unavailable enforcer, a failed reload and the time before the first reading are not ready", () => {
		expect(readiness(reloaded(), enforcers("unavailable", "no root"), fine).body).toContain("no root");
		expect(readiness(reloaded(), enforcers("active"), { ...fine, failure: "kernel said no" })).toEqual({
			ready: false,
			body: "not ready: the last reload failed: kernel said no",
		});
		// A reload that was applied did not fail, though what nobody confirmed is not in force.
		expect(readiness(reloaded(), enforcers("active"), { ...fine, complaint: "nobody confirmed it" })).toEqual(
			{ ready: false, body: "not ready: nobody confirmed it" },
		);
		expect(readiness(null, enforcers("active"), fine)).toMatchObject({ ready: false });
	});

	test("a disabled enforcer is ready: nobody asked it to enforce", () => {
		expect(readiness(reloaded(), enforcers("disabled"), fine)).toMatchObject({ ready: true });
	});

	test("an unavailable USB enforcer matters where there are device policies", () => {
		const beside = (entries: number) => [network("active"), usb("unavailable", entries)];
		expect(readiness(reloaded(), beside(0), fine)).toMatchObject({ ready: true });
		expect(readiness(reloaded(), beside(1), fine)).toEqual({
			ready: false,
			body: "not ready: the USB enforcer is unavailable: no sysfs",
		});
	});
});
