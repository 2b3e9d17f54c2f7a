/** The daemon's snapshot, put together from what each part knows of itself. */

import type { Config } from "../config/model.ts";
import { sentTo } from "../enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { networkReport } from "../enforcers/network/report/network-report.ts";
import type { AccountReader } from "../enforcers/network/run/account-reader.ts";
import type { AlertDesk } from "../enforcers/network/run/alert-desk.ts";
import type { DriftDesk } from "../enforcers/network/run/drift-desk.ts";
import type { FlowDesk } from "../enforcers/network/run/flow-desk.ts";
import type { NetworkEnforcer } from "../enforcers/network/run/network-enforcer.ts";
import type { NetworkObservers } from "../enforcers/network/run/network-observers.ts";
import { networkSnapshot } from "../enforcers/network/run/network-state.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";
import type { UsbService } from "../enforcers/usb/run/service.ts";
import type { Reloaded } from "../engine/reading.ts";
import type { Confinement } from "../report/confinement.ts";
import type { EnforcerReport } from "../report/contribution.ts";
import { noteEnforcement, settingsWarnings } from "../report/enforcement-notice.ts";
import { noteSettings } from "../report/settings-status.ts";
import { type DaemonState, policyStates, type Readiness } from "../report/status.ts";
import type { StatusServer } from "../serve/status-server.ts";
import type { HostDesk } from "./host-desk.ts";
import { type PanicWatch, panicReadiness } from "./panic-watch.ts";
import type { PendingService } from "./pending/pending-service.ts";
import { readiness } from "./readiness.ts";
import type { ReloadDesk } from "./reload-desk.ts";
import type { SettingsDesk } from "./settings-desk.ts";
import type { SignatureDesk } from "./signature-desk.ts";

export interface StateParts {
	readonly version: string;
	/** Those in force. */
	readonly config: Config;
	readonly confinement: Confinement;
	readonly accounts: Pick<AccountReader, "latest">;
	readonly attempts: Pick<ReloadDesk, "failure">;
	readonly desk: Pick<AlertDesk, "recordsLost">;
	readonly drift: Pick<DriftDesk, "count">;
	readonly enforcer: Pick<NetworkEnforcer, "state" | "plan" | "inForce">;
	/** Null before the first. */
	readonly reloaded: Reloaded | null;
	readonly flows: Pick<FlowDesk, "counts" | "warnings">;
	readonly host: Pick<HostDesk, "hostname" | "warnings" | "interfaces" | "otherChains">;
	readonly observers: Pick<NetworkObservers, "warnings">;
	readonly panic: Pick<PanicWatch, "state">;
	readonly pending: Pick<PendingService, "changes">;
	readonly settings: Pick<SettingsDesk, "state" | "warnings">;
	readonly signature: Pick<SignatureDesk, "state" | "warnings">;
	readonly status: Pick<StatusServer, "warnings">;
	readonly usb: Pick<UsbService, "report">;
}

export function daemonState(parts: StateParts): DaemonState {
	const { config, host, panic, pending, settings, signature, status } = parts;
	const { reloaded } = parts;
	const entries = sentTo(usbEnforcer, reloaded?.sent ?? {})?.entries ?? [];
	const enforcers = [networkReport(networkSnapshot(parts)), parts.usb.report(entries.length)];
	return {
		version: parts.version,
		hostname: host.hostname,
		panic: panic.state,
		pending: pending.changes.state,
		settings: settings.state,
		signature: signature.state,
		nodeLabels: reloaded?.nodeLabels ?? config.nodeLabels,
		enforcers,
		policies: policyStates(reloaded?.documents ?? [], enforcers),
		confinement: parts.confinement,
		warnings: [
			...settings.warnings,
			...host.warnings,
			...signature.warnings,
			...status.warnings,
			...parts.observers.warnings,
			...parts.flows.warnings,
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
	const trouble = { failure: attempts.failure, complaint: pending.changes.complaint };
	const rules = sentTo(networkEnforcer, reloaded?.sent ?? {})?.plan?.rules.length ?? 0;
	return noteEnforcement(readiness(reloaded && { ...reloaded, rules }, enforcers, trouble), config);
}
