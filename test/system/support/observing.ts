/** Starts observing Workers the way main does, and gathers what they report. */

import type {
	DriftReport,
	DriftSettings,
	NflogReport,
	NflogSettings,
} from "../../../src/enforcers/network/observe/observer-protocol.ts";
import { Observer } from "../../../src/threads/observer.ts";
import { until } from "./isolated.ts";

export interface Observing<Report> {
	readonly reports: readonly Report[];
	/** Why the Worker ended, where nobody stopped it. */
	readonly errors: readonly string[];
	stop(): Promise<void>;
}

/** Resolves once the Worker is ready, or has failed. */
export function observeNflog(
	settings: NflogSettings,
	onReport: (report: NflogReport) => void = () => {},
): Promise<Observing<NflogReport>> {
	const worker = new Worker(
		new URL("../../../src/enforcers/network/observe/nflog.worker.ts", import.meta.url),
	);
	return observe(worker, settings, onReport);
}

/** Resolves once the Worker is ready, or has failed. */
export function observeDrift(
	settings: DriftSettings,
	onReport: (report: DriftReport) => void = () => {},
): Promise<Observing<DriftReport>> {
	const worker = new Worker(
		new URL("../../../src/enforcers/network/observe/drift.worker.ts", import.meta.url),
	);
	return observe(worker, settings, onReport);
}

async function observe<Settings, Report extends { readonly kind: string }>(
	worker: Worker,
	settings: Settings,
	onReport: (report: Report) => void,
): Promise<Observing<Report>> {
	const reports: Report[] = [];
	const errors: string[] = [];
	const started = Observer.start<Settings, Report>(worker, settings, {
		report: (report) => {
			reports.push(report);
			onReport(report);
		},
		ended: (error) => errors.push(error),
	});
	if (!started.ok) throw new Error(started.error);
	await until(() => reports.length > 0 || errors.length > 0, "the Worker is ready");
	return { reports, errors, stop: () => started.observer.stop() };
}
