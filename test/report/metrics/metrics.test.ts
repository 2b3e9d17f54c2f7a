import { expect, test } from "bun:test";
import type { NetworkSnapshot } from "../../../src/enforcers/network/report/network-report.ts";
import {
	type UsbCounts,
	usbDecisionBounds,
} from "../../../src/enforcers/usb/report/metrics/device-metrics.ts";
import { Histogram } from "../../../src/report/metrics/exposition.ts";
import { type MetricsInput, renderMetrics } from "../../../src/report/metrics/metrics.ts";
import { applyDurationBounds } from "../../../src/report/metrics/reload-metrics.ts";
import { sampleNetwork, sampleState } from "../sample.ts";

function input(): MetricsInput {
	const [rule] = sampleNetwork.rules;
	if (rule === undefined) throw new Error("the sample has a rule");
	const hostile = { ...rule, policy: 'a"b\\c\nd', index: 1, direction: "egress", action: "Allow" } as const;
	const posture = { ...rule, policy: "DefaultPosture", index: -1, packets: 3, bytes: 180 };
	const applyDuration = new Histogram(applyDurationBounds);
	applyDuration.observe(0.02);
	const usbSeconds = new Histogram(usbDecisionBounds);
	usbSeconds.observe(0.004);
	const network: Partial<NetworkSnapshot> = {
		rules: [rule, hostile, posture],
		ruleLogs: [{ rule, outcomes: { alerted: 4, aggregated: 1, suppressed: 1, lost: 1, earlier: 0 } }],
		drift: 2,
		flows: { blocked: 1, loss: 2, start: 3, refused: 4, overflow: 5 },
		midstreamPackets: 6,
		recordsLost: 4,
	};
	const counts: UsbCounts = {
		devices: { authorized: 4, partial: 1, refused: 2, pending: 0 },
		decisions: { Allow: 1, Audit: 6, Block: 3 },
		decisionSeconds: usbSeconds.value(),
		rescans: 9,
		overflows: 1,
		pendingWrites: 0,
	};
	const state = sampleState({}, { network, usb: { counts } });
	return {
		state,
		build: { version: state.version, commit: "abc123", bunVersion: "1.4.5" },
		alerts: {
			raised: [{ policy: "np1", action: "Block", count: 5 }],
			retired: 4,
			dropped: { stdout: 1, file: 0, stream: 2 },
		},
		reloads: { results: { success: 3, partial: 0, failure: 1 }, duration: applyDuration.value() },
		changes: { confirmed: 2, rolled_back: 1, refused: 0 },
		process: {
			cpuSeconds: 1.5,
			residentBytes: 1000,
			virtualBytes: 2000,
			openFds: 10,
			maxFds: 1024,
			startTime: 1.7e9,
		},
	};
}

test("the golden text", async () => {
	const golden = Bun.file(new URL("../../fixtures/report/metrics.txt", import.meta.url));
	expect(renderMetrics(input())).toBe(await golden.text());
});

test("promtool accepts it", async () => {
	const promtool = Bun.spawn(["promtool", "check", "metrics"], {
		stdin: Buffer.from(renderMetrics(input())),
		stdout: "pipe",
		stderr: "pipe",
	});
	const output = (await promtool.stdout.text()) + (await promtool.stderr.text());
	expect({ code: await promtool.exited, output }).toEqual({ code: 0, output: "" });
});

test("every policy state has a series, so that an alert on it has something to compare", () => {
	const text = renderMetrics(input());
	for (const state of ["enforced", "last_good", "invalid", "not_selected", "refused"]) {
		expect(text).toMatch(new RegExp(`^portward_policies\\{state="${state}"\\} \\d$`, "m"));
	}
});

test("no name has more than ten thousand series, and how many are left out is said", () => {
	const raised = Array.from({ length: 12_000 }, (_, index) => ({
		policy: `p${index}`,
		action: "Block" as const,
		count: 1,
	}));
	const alerts = { ...input().alerts, raised };
	const lines = renderMetrics({ ...input(), alerts }).split("\n");
	expect(lines.filter((line) => line.startsWith("portward_alerts_total{"))).toHaveLength(10_000);
	expect(lines).toContain('portward_series_left_out{name="portward_alerts_total"} 2000');
	expect(renderMetrics(input())).not.toContain("portward_series_left_out");
});
