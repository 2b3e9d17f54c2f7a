/** What the USB enforcer gives to the report. Pure. */

import type { EnforcerReport, StagedCount } from "../../../report/contribution.ts";
import { familiesOf, type MetricGroup } from "../../../report/metrics/group.ts";
import { jsonReply } from "../../../report/reply.ts";
import { type SeenDevices, seenDevicesJson } from "../history/seen-device.ts";
import { usbCards, usbSection } from "./device-page.ts";
import type { DeviceStatus, UsbEnforcerState } from "./device-status.ts";
import { deviceMetrics, type UsbCounts } from "./metrics/device-metrics.ts";
import { stagedMetrics } from "./metrics/staged-metrics.ts";

export interface UsbSnapshot {
	readonly state: UsbEnforcerState;
	/** Every device that was judged, a hub before what hangs on it. */
	readonly devices: readonly DeviceStatus[];
	/** Every device that came. */
	readonly history: () => SeenDevices;
	readonly counts: UsbCounts;
	/** Entries of policies that are to be enforced. */
	readonly entries: number;
	/** How staged policies fare, by name. */
	readonly staged: ReadonlyMap<string, StagedCount>;
}

/** The list: a group that is not in it is in no scrape. */
export const usbGroups: readonly MetricGroup<UsbCounts & Pick<UsbSnapshot, "staged">>[] = [
	deviceMetrics,
	stagedMetrics,
];

export function usbReport({ state, devices, history, counts, entries, staged }: UsbSnapshot): EnforcerReport {
	return {
		name: "usb",
		label: "USB",
		state,
		sums: {
			usbAllowed: devices.flatMap(({ port, allowedUntil }) =>
				allowedUntil === null ? [] : [{ port, until: allowedUntil }],
			),
		},
		findings: {},
		// No USB is no matter without device policies.
		obstacle:
			state.state === "unavailable" && entries > 0 ? `the USB enforcer is unavailable: ${state.reason}` : "",
		remark: "",
		recordsLost: 0,
		policy: ({ kind, name }) => {
			if (kind !== "KubeArmorHostPolicy") return null;
			const count = staged.get(name);
			const beside = count === undefined ? {} : { staged: count };
			return { active: state.state === "active", traffic: null, rules: [], ...beside };
		},
		families: () => familiesOf(usbGroups, { ...counts, staged }),
		cards: () => usbCards(state),
		sections: () => [usbSection(devices)],
		routes: [
			{ path: "/v1/usb/devices", reply: () => jsonReply(200, { devices }) },
			{ path: "/v1/usb/history", reply: () => jsonReply(200, seenDevicesJson(history())) },
		],
	};
}
