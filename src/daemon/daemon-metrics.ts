/** The body of /metrics, from what the daemon's parts know. */

import { midstreamCounter } from "../compile/render.ts";
import type { AlertSink } from "../report/alert-sink.ts";
import { renderMetrics } from "../report/metrics.ts";
import { readProcess } from "../report/process-metrics.ts";
import type { DaemonState } from "../report/status.ts";
import type { Accounts, AlertDesk } from "./alert-desk.ts";
import type { FlowDesk } from "./flow-desk.ts";
import type { PendingService } from "./pending-service.ts";
import type { ReloadDesk } from "./reload-desk.ts";
import type { UsbService } from "./usb-service.ts";

export interface MetricsSources {
	readonly state: DaemonState;
	readonly commit: string;
	readonly sink: Pick<AlertSink, "counts" | "dropped" | "retire" | "retired">;
	readonly desk: Pick<AlertDesk, "recordsLost">;
	readonly accounts: Accounts;
	readonly attempts: Pick<ReloadDesk, "results" | "duration">;
	readonly usb: Pick<UsbService, "counts">;
	readonly pending: Pick<PendingService, "counts">;
	readonly flows: Pick<FlowDesk, "counts">;
}

export function daemonMetrics(from: MetricsSources): string {
	from.sink.retire(new Set(from.state.policies.map(({ name }) => name)), performance.now());
	return renderMetrics({
		state: from.state,
		commit: from.commit,
		bunVersion: Bun.version,
		alerts: from.sink.counts(),
		alertsRetired: from.sink.retired,
		alertsDropped: from.sink.dropped(),
		recordsLost: from.desk.recordsLost,
		ruleLogs: from.accounts.logs,
		reloads: from.attempts.results,
		applyDuration: from.attempts.duration(),
		invalidPackets: from.accounts.invalidPackets,
		process: readProcess(),
		usb: from.usb.counts(),
		changes: from.pending.counts,
		flows: from.flows.counts,
		midstreamPackets: from.accounts.counters[midstreamCounter]?.packets ?? 0,
	});
}
