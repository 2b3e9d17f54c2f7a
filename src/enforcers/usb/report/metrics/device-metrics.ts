/** Metrics about USB devices. Pure. */

import type { Action } from "../../../../base/model.ts";
import type { HistogramValue } from "../../../../report/metrics/exposition.ts";
import { byKey, type MetricGroup, one } from "../../../../report/metrics/group.ts";
import type { DeviceCondition } from "../device-status.ts";

/** What the metrics need. */
export interface UsbCounts {
	readonly devices: Readonly<Record<DeviceCondition, number>>;
	/** Judged functions. */
	readonly decisions: Readonly<Record<Action, number>>;
	readonly decisionSeconds: HistogramValue;
	readonly rescans: number;
	readonly overflows: number;
	readonly pendingWrites: number;
}

/** Upper bounds in seconds for portward_usb_decision_seconds. */
export const usbDecisionBounds = [
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30,
] as const;

export const deviceMetrics: MetricGroup<UsbCounts> = [
	{
		name: "portward_usb_devices",
		type: "gauge",
		help: "USB devices that are plugged in, root hubs included, by what became of them.",
		labels: ["state"],
		since: "0.2.0",
		samples: ({ devices }) => byKey("state", devices),
	},
	{
		name: "portward_usb_decisions_total",
		type: "counter",
		help: "Functions of USB devices that were judged, by action; again only when the verdict changed.",
		labels: ["action"],
		since: "0.2.0",
		samples: ({ decisions }) => byKey("action", decisions),
	},
	{
		name: "portward_usb_decision_seconds",
		type: "histogram",
		help: "Time from the uevent of a USB device to the last write that it led to.",
		labels: [],
		since: "0.2.0",
		value: ({ decisionSeconds }) => decisionSeconds,
	},
	{
		name: "portward_usb_rescans_total",
		type: "counter",
		help: "Times that all USB devices were looked at.",
		labels: [],
		since: "0.2.0",
		samples: ({ rescans }) => one(rescans),
	},
	{
		name: "portward_usb_overflows_total",
		type: "counter",
		help: "Times that the kernel dropped USB events before they were read.",
		labels: [],
		since: "0.2.0",
		samples: ({ overflows }) => one(overflows),
	},
	{
		name: "portward_usb_pending_writes",
		type: "gauge",
		help: "USB devices that hold up a change of their authorization.",
		labels: [],
		since: "0.2.0",
		samples: ({ pendingWrites }) => one(pendingWrites),
	},
];
