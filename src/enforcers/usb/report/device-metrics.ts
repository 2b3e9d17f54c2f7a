/** The metrics of the USB enforcer. Pure. */

import type { Action } from "../../../base/model.ts";
import type { Family, HistogramValue } from "../../../report/metrics/exposition.ts";
import type { DeviceCondition } from "./device-status.ts";

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

export function usbFamilies(counts: UsbCounts): Family[] {
	const byKey = (label: string, values: Readonly<Record<string, number>>) =>
		Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
	const one = (value: number) => [{ labels: {}, value }];
	return [
		{
			name: "portward_usb_devices",
			type: "gauge",
			help: "USB devices that are plugged in, root hubs included, by what became of them.",
			samples: byKey("state", counts.devices),
		},
		{
			name: "portward_usb_decisions_total",
			type: "counter",
			help: "Functions of USB devices that were judged, by action; again only when the verdict changed.",
			samples: byKey("action", counts.decisions),
		},
		{
			name: "portward_usb_decision_seconds",
			type: "histogram",
			help: "Time from the uevent of a USB device to the last write that it led to.",
			value: counts.decisionSeconds,
		},
		{
			name: "portward_usb_rescans_total",
			type: "counter",
			help: "Times that all USB devices were looked at.",
			samples: one(counts.rescans),
		},
		{
			name: "portward_usb_overflows_total",
			type: "counter",
			help: "Times that the kernel dropped USB events before they were read.",
			samples: one(counts.overflows),
		},
		{
			name: "portward_usb_pending_writes",
			type: "gauge",
			help: "USB devices that hold up a change of their authorization.",
			samples: one(counts.pendingWrites),
		},
	];
}
