/** The body of /metrics, from what the daemon's parts know. */

import type { Config } from "../config/model.ts";
import { renderMetrics } from "../report/metrics/metrics.ts";
import { readProcess } from "../report/metrics/process-metrics.ts";
import type { AlertSink } from "../report/sinks/alert-sink.ts";
import type { DaemonState } from "../report/status.ts";
import type { PendingService } from "./pending/pending-service.ts";
import type { ReloadHistory } from "./reload-history.ts";

export interface MetricsSources {
	readonly state: DaemonState;
	/** Those in force. */
	readonly config: Pick<Config, "enforcement">;
	readonly commit: string;
	readonly sink: Pick<AlertSink, "counts" | "kinds" | "dropped" | "retire" | "retired" | "throttled">;
	readonly attempts: Pick<ReloadHistory, "results" | "duration" | "last" | "lastSuccess">;
	readonly pending: Pick<PendingService, "counts">;
}

export function daemonMetrics(from: MetricsSources): string {
	from.sink.retire(new Set(from.state.policies.map(({ name }) => name)), performance.now());
	return renderMetrics({
		state: from.state,
		build: { version: from.state.version, commit: from.commit, bunVersion: Bun.version },
		enforcement: from.config.enforcement,
		alerts: {
			raised: from.sink.counts(),
			kinds: from.sink.kinds(),
			retired: from.sink.retired,
			throttled: from.sink.throttled,
			dropped: from.sink.dropped(),
		},
		reloads: {
			results: from.attempts.results,
			duration: from.attempts.duration(),
			last: from.attempts.last,
			lastSuccess: from.attempts.lastSuccess,
		},
		changes: from.pending.counts,
		process: readProcess(),
	});
}
