import { expect, test } from "bun:test";
import { daemonMetrics } from "../../src/daemon/daemon-metrics.ts";
import { Histogram } from "../../src/report/metrics/exposition.ts";
import { sampleNetwork, sampleState, sampleUsb } from "../report/sample.ts";

test("every part of the daemon is asked", () => {
	const asked: string[] = [];
	const text = daemonMetrics({
		state: sampleState(
			{},
			{
				network: {
					state: { ...sampleNetwork.state, invalidPackets: { ingress: 5, egress: 6, forward: 7 } },
					recordsLost: 4,
					midstreamPackets: 12,
					flows: { blocked: 13, loss: 14, start: 15, refused: 16, overflow: 17 },
				},
				usb: { counts: { ...sampleUsb.counts, rescans: 10 } },
			},
		),
		config: { enforcement: "audit" },
		commit: "abc",
		sink: {
			counts: () => [{ policy: "np1", action: "Block", count: 3 }],
			kinds: () => [{ type: "MatchedNetworkPolicy", operation: "NetworkFirewall", severity: "5", count: 18 }],
			dropped: () => ({ stdout: 1, file: 2, stream: 3, sinks: 4 }),
			retire: (policies) => void asked.push(...policies),
			retired: 12,
			throttled: 14,
		},
		attempts: {
			results: { success: 7, partial: 8, failure: 9 },
			duration: () => new Histogram([1]).value(),
			last: "partial",
			lastSuccess: 19_500,
		},
		pending: { counts: { confirmed: 11, rolled_back: 0, refused: 0 } },
	});
	for (const line of [
		'portward_alerts_total{policy="np1",action="Block"} 3',
		'portward_alerts_dropped_total{reason="kernel"} 4',
		"portward_alerts_retired_total 12",
		'portward_alerts_by_kind_total{type="MatchedNetworkPolicy",operation="NetworkFirewall",severity="5"} 18',
		"portward_last_reload_successful 0",
		'portward_enforcement{mode="audit"} 1',
		'portward_enforcement{mode="enforce"} 0',
		"portward_last_reload_success_timestamp_seconds 19.5",
		'portward_invalid_packets_total{hook="output"} 6',
		'portward_reloads_total{result="failure"} 9',
		"portward_usb_rescans_total 10",
		'portward_changes_total{result="confirmed"} 11',
		"portward_midstream_packets_total 12",
		'portward_open_connections_ended_total{reason="block"} 13',
		'portward_open_connections_ended_total{reason="loss"} 14',
		'portward_open_connections_ended_total{reason="start"} 15',
		"portward_refused_flows 16",
		"portward_refused_flows_overflow 17",
	])
		expect(text.split("\n")).toContain(line);
	expect(asked).toEqual(["np1"]);
});
