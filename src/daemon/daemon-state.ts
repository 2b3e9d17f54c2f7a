/** The daemon's snapshot, put together from what each part knows of itself. */

import type { Config } from "../config/model.ts";
import type { AccountReader } from "../enforcers/network/run/account-reader.ts";
import type { DriftDesk } from "../enforcers/network/run/drift-desk.ts";
import type { FlowDesk } from "../enforcers/network/run/flow-desk.ts";
import type { NetworkEnforcer } from "../enforcers/network/run/network-enforcer.ts";
import type { NetworkObservers } from "../enforcers/network/run/network-observers.ts";
import { networkState, policyStates, readiness } from "../enforcers/network/run/network-state.ts";
import type { UsbService } from "../enforcers/usb/run/service.ts";
import type { Confinement } from "../report/confinement.ts";
import { noteEnforcement, settingsWarnings } from "../report/enforcement-notice.ts";
import { noteSettings } from "../report/settings-status.ts";
import type { DaemonState, Readiness } from "../report/status.ts";
import type { StatusServer } from "../serve/status-server.ts";
import type { HostDesk } from "./host-desk.ts";
import { type PanicWatch, panicReadiness } from "./panic-watch.ts";
import type { PendingService } from "./pending/pending-service.ts";
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
	readonly drift: Pick<DriftDesk, "count">;
	readonly enforcer: Pick<NetworkEnforcer, "state" | "plan" | "inForce" | "reloaded">;
	readonly flows: Pick<FlowDesk, "warnings">;
	readonly host: Pick<HostDesk, "hostname" | "warnings" | "interfaces" | "otherChains">;
	readonly observers: Pick<NetworkObservers, "warnings">;
	readonly panic: Pick<PanicWatch, "state">;
	readonly pending: Pick<PendingService, "changes">;
	readonly settings: Pick<SettingsDesk, "state" | "warnings">;
	readonly signature: Pick<SignatureDesk, "state" | "warnings">;
	readonly status: Pick<StatusServer, "warnings">;
	readonly usb: Pick<UsbService, "state" | "devices">;
}

export function daemonState(parts: StateParts): DaemonState {
	const { config, enforcer, host, panic, pending, settings, signature, status, usb } = parts;
	const { reloaded } = enforcer;
	return {
		version: parts.version,
		hostname: host.hostname,
		panic: panic.state,
		pending: pending.changes.state,
		settings: settings.state,
		signature: signature.state,
		nodeLabels: reloaded?.nodeLabels ?? config.nodeLabels,
		enforcers: {
			network: networkState(enforcer, config, parts.accounts.latest, host.otherChains(config.table)),
			usb: usb.state,
		},
		policies: policyStates(reloaded, enforcer, usb.state),
		usbAllowed: usb
			.devices()
			.flatMap(({ port, allowedUntil }) => (allowedUntil === null ? [] : [{ port, until: allowedUntil }])),
		interfaces: host.interfaces,
		rules: parts.accounts.latest.rules,
		drift: parts.drift.count,
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
		readiness: noteSettings(readinessOf(parts), settings.state),
	};
}

function readinessOf({ attempts, config, enforcer, panic, pending, usb }: StateParts): Readiness {
	const open = panicReadiness(panic.state);
	if (open !== null) return open;
	const trouble = { failure: attempts.failure, complaint: pending.changes.complaint };
	return noteEnforcement(readiness(enforcer.reloaded, enforcer, usb.state, trouble), config);
}
