import { expect, test } from "bun:test";
import { TestsMonitor } from "../../../src/daemon/monitors/tests-monitor.ts";
import type { TestReport } from "../../../src/engine/testing/gate.ts";
import type { Alert } from "../../../src/report/alert.ts";

const finding = (line: number) =>
	({
		file: "t.yaml",
		line,
		column: 1,
		path: "",
		severity: "error",
		code: "test-failed",
		message: "m",
		hint: "",
	}) as const;
const passed: TestReport = { mode: "enforce", passed: 1, failed: 0, refuses: false, findings: [] };
const failed = (line: number): TestReport => ({
	mode: "enforce",
	passed: 0,
	failed: 1,
	refuses: true,
	findings: [finding(line)],
});

test("the same failures are told once, other ones and those that come back again", () => {
	const alerts: Alert[] = [];
	const monitor = new TestsMonitor({
		sink: { publish: (some) => void alerts.push(...some) },
		identity: { hostName: "h", clusterName: "c", nodeId: "n" },
	});
	expect([monitor.state, monitor.warnings]).toEqual([null, []]);
	const counts = [passed, failed(1), failed(1), failed(2), passed, failed(2), null].map((report) => {
		monitor.read(report, "/p");
		return alerts.length;
	});
	expect(counts).toEqual([0, 1, 1, 2, 2, 3, 3]);
	monitor.read(failed(3), "/p");
	expect(monitor.state).toMatchObject({ refused: true, problems: ["t.yaml:3: m"] });
	expect(monitor.warnings).toHaveLength(1);
});
