/** The daemon's snapshot, put together from what each part knows of itself. */

import type { Config } from "../config/model.ts";
import { sentTo } from "../enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import type { Reloaded } from "../engine/reading.ts";
import type { Confinement } from "../report/confinement.ts";
import type { EnforcerReport } from "../report/contribution.ts";
import { noteEnforcement, settingsWarnings } from "../report/enforcement-notice.ts";
import { apiWarnings } from "../report/kubearmor-api-status.ts";
import { noteSettings } from "../report/settings-status.ts";
import { type SinkState, sinkWarnings } from "../report/sink-status.ts";
import { type DaemonState, policyStates, type Readiness } from "../report/status.ts";
import type { ApiService } from "../serve/grpc/api-service.ts";
import type { StatusServer } from "../serve/status-server.ts";
import type { Generations } from "./generations.ts";
import type { HostMonitor } from "./host-monitor.ts";
import type { FeedMonitor } from "./monitors/feed-monitor.ts";
import type { SettingsMonitor } from "./monitors/settings-monitor.ts";
import type { SignatureMonitor } from "./monitors/signature-monitor.ts";
import type { TestsMonitor } from "./monitors/tests-monitor.ts";
import { type PanicWatch, panicReadiness } from "./panic-watch.ts";
import type { PendingService } from "./pending/pending-service.ts";
import { readiness } from "./readiness.ts";
import type { ReloadHistory } from "./reload-history.ts";
import type { RunningEnforcers } from "./running-enforcers.ts";

export interface StateParts {
	readonly version: string;
	/** Those in force. */
	readonly config: Config;
	readonly confinement: Confinement;
	readonly attempts: Pick<ReloadHistory, "failure">;
	/** Null before the first. */
	readonly reloaded: Reloaded | null;
	readonly running: Pick<RunningEnforcers, "reports" | "warnings">;
	readonly host: Pick<HostMonitor, "hostname" | "warnings">;
	readonly panic: Pick<PanicWatch, "state">;
	readonly pending: Pick<PendingService, "changes">;
	readonly settings: Pick<SettingsMonitor, "state" | "warnings">;
	readonly signature: Pick<SignatureMonitor, "state" | "warnings">;
	readonly tests: Pick<TestsMonitor, "state" | "warnings">;
	readonly feeds: Pick<FeedMonitor, "state" | "warnings">;
	readonly status: Pick<StatusServer, "certificates" | "warnings">;
	readonly generations: Pick<Generations, "all">;
	readonly sinks: readonly SinkState[];
	readonly kubearmorApi: Pick<ApiService, "state" | "certificates">;
}

export function daemonState(parts: StateParts): DaemonState {
	const { config, host, panic, pending, settings, signature, status, tests, feeds } = parts;
	const { reloaded } = parts;
	const enforcers = parts.running.reports();
	return {
		version: parts.version,
		hostname: host.hostname,
		panic: panic.state,
		pending: pending.changes.state,
		settings: settings.state,
		signature: signature.state,
		tests: tests.state,
		feeds: feeds.state,
		nodeLabels: reloaded?.nodeLabels ?? config.nodeLabels,
		enforcers,
		sinks: parts.sinks,
		kubearmorApi: parts.kubearmorApi.state,
		policies: policyStates(reloaded?.documents ?? [], enforcers),
		generations: parts.generations.all,
		certificates: [...status.certificates, ...parts.kubearmorApi.certificates],
		confinement: parts.confinement,
		warnings: [
			...settings.warnings,
			...host.warnings,
			...signature.warnings,
			...tests.warnings,
			...feeds.warnings,
			...status.warnings,
			...parts.running.warnings,
			...sinkWarnings(parts.sinks),
			...apiWarnings(parts.kubearmorApi.state),
			...settingsWarnings(config),
		],
		readiness: noteSettings(readinessOf(parts, enforcers), settings.state),
	};
}

function readinessOf(
	{ attempts, config, panic, pending, reloaded }: StateParts,
	enforcers: readonly EnforcerReport[],
): Readiness {
	const open = panicReadiness(panic.state);
	if (open !== null) return open;
	const { complaint, confirmed } = pending.changes;
	const trouble = { failure: attempts.failure, complaint, pends: !confirmed };
	const rules = sentTo(networkEnforcer, reloaded?.sent ?? {})?.plan?.rules.length ?? 0;
	return noteEnforcement(readiness(reloaded && { ...reloaded, rules }, enforcers, trouble), config);
}
