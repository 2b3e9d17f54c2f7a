/** What the metrics are made of, for tests and for docs/metrics.md. */

import type { NetworkSnapshot } from "../../../src/enforcers/network/report/network-report.ts";
import {
	type UsbCounts,
	usbDecisionBounds,
} from "../../../src/enforcers/usb/report/metrics/device-metrics.ts";
import { Histogram } from "../../../src/report/metrics/exposition.ts";
import { type MetricsInput, renderMetrics } from "../../../src/report/metrics/metrics.ts";
import { applyDurationBounds } from "../../../src/report/metrics/reload-metrics.ts";
import { sampleNetwork, sampleState } from "../sample.ts";
import { sampleApi } from "../sample-api.ts";
import { sampleSink } from "../sample-sink.ts";

function ruleOf({ rules: [rule] }: NetworkSnapshot) {
	if (rule === undefined) throw new Error("the sample has a rule");
	return rule;
}
const rule = ruleOf(sampleNetwork);
const outcomes = { alerted: 4, aggregated: 1, suppressed: 1, lost: 1, earlier: 0 };

export function metricsInput(): MetricsInput {
	const hostile = { ...rule, policy: 'a"b\\c\nd', index: 1, direction: "egress", action: "Allow" } as const;
	const posture = { ...rule, policy: "DefaultPosture", index: -1, packets: 3, bytes: 180 };
	const applyDuration = new Histogram(applyDurationBounds);
	applyDuration.observe(0.02);
	const usbSeconds = new Histogram(usbDecisionBounds);
	usbSeconds.observe(0.004);
	const network: Partial<NetworkSnapshot> = {
		rules: [rule, hostile, posture],
		ruleLogs: [{ rule, outcomes }],
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
	const certificates = [{ name: "status", expires: 1_800_000_000_000 }];
	const state = sampleState(
		{ sinks: [sampleSink], certificates, kubearmorApi: sampleApi },
		{ network, usb: { counts } },
	);
	return {
		state,
		build: { version: state.version, commit: "abc123", bunVersion: "1.4.5" },
		enforcement: "enforce",
		alerts: {
			raised: [{ policy: "np1", action: "Block", count: 5 }],
			kinds: [{ type: "MatchedNetworkPolicy", operation: "NetworkFirewall", severity: "5", count: 5 }],
			retired: 4,
			throttled: 5,
			dropped: { stdout: 1, file: 0, stream: 2, sinks: 0 },
		},
		reloads: {
			results: { success: 3, partial: 0, failure: 1 },
			duration: applyDuration.value(),
			last: "success",
			lastSuccess: 1_771_821_000_000,
		},
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

/** An answer of /metrics in which every metric that there is has a sample. */
export function everyMetric(): string {
	const input = metricsInput();
	const interfaces = [
		{ interface: "eth9", reason: "absent", bears: "", users: [], message: "", hint: "" } as const,
	];
	const stagedDevices = new Map([
		["np2", { evaluated: 3, wouldBlock: 1, sinceGeneration: 2, since: "2026-11-30T02:00:00.000Z" }],
	]);
	const ruleUses = [{ ...rule, since: 1_000, lastMatch: 61_500 }];
	const state = sampleState(
		{
			signature: { ok: true, serial: 1, problem: null, remedy: "", standing: null },
			tests: { mode: "warn", passed: 1, failed: 0, refused: false, problems: [] },
			feeds: [{ group: "bad-ips", file: "/f", state: "current", blocks: 3, problem: "" }],
			sinks: [sampleSink],
			kubearmorApi: sampleApi,
		},
		{
			network: { interfaces, ruleLogs: [{ rule, outcomes }], ruleUses },
			usb: { staged: stagedDevices },
		},
	);
	const many = Array.from({ length: 10_001 }, (_, index) => `p${index}`);
	const raised = many.map((policy) => ({ policy, action: "Block" as const, count: 1 }));
	return renderMetrics({ ...input, state, alerts: { ...input.alerts, raised } });
}
