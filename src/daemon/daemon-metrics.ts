/** The body of /metrics, from what the daemon's parts know. */

import { midstreamCounter } from "../enforcers/network/compile/render/render.ts";
import type { Accounts, AlertDesk } from "../enforcers/network/run/alert-desk.ts";
import type { FlowDesk } from "../enforcers/network/run/flow-desk.ts";
import type { UsbService } from "../enforcers/usb/run/service.ts";
import { renderMetrics } from "../report/metrics/metrics.ts";
import { readProcess } from "../report/metrics/process-metrics.ts";
import type { AlertSink } from "../report/sinks/alert-sink.ts";
import type { DaemonState } from "../report/status.ts";
import type { PendingService } from "./pending/pending-service.ts";
import type { ReloadDesk } from "./reload-desk.ts";

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
