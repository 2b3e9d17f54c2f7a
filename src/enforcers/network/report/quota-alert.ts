/** The alert that a quota is exhausted: one for each window. Pure. */

import { type Alert, formatData, type HostIdentity } from "../../../report/alert.ts";
import type { PlannedQuota } from "../compile/plan.ts";
import type { PacketEvent } from "../observe/event.ts";
import { networkAlert } from "./network-alert.ts";

/** What is known of a packet beyond the limit where its record in the log was lost. */
export function unseenPacket(ruleId: string, time: number): PacketEvent {
	const packet = {
		family: null,
		source: null,
		destination: null,
		protocol: null,
		sourcePort: null,
		destinationPort: null,
	};
	return { time, ruleId, packet, interface: "" };
}

/** @param event the first packet of the window beyond the limit, as far as it was logged */
export function quotaAlert(event: PacketEvent, quota: PlannedQuota, host: HostIdentity): Alert {
	const alert = networkAlert(event, quota.rule, host);
	const data = { ...alert.EventData, QuotaLimit: quota.limit, QuotaDuration: `${quota.seconds}s` };
	return { ...alert, EventData: data, Data: formatData(data) };
}
