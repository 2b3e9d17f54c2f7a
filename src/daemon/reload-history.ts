/** What became of each attempt to enforce: logged, counted, and kept for status and for whoever asked for it. */

import type { Reading } from "../enforcers/contract/reading.ts";
import type { NetworkEnforcer } from "../enforcers/network/run/network-enforcer.ts";
import type { Logger } from "../report/log.ts";
import { Histogram, type HistogramValue } from "../report/metrics/exposition.ts";
import { applyDurationBounds, type ReloadResult } from "../report/metrics/reload-metrics.ts";
import type { DiagnosticLog } from "./diagnostic-log.ts";

export class ReloadHistory {
	readonly #findings: DiagnosticLog;
	readonly #log: Logger;
	readonly #duration = new Histogram(applyDurationBounds);
	readonly #results: Record<ReloadResult, number> = { success: 0, partial: 0, failure: 0 };
	readonly #now: () => number;
	#last: ReloadResult | null = null;
	#lastSuccess: number | null = null;
	#failure = "";
	#refusal = "";

	/** @param now milliseconds since the epoch */
	constructor(findings: DiagnosticLog, log: Logger, now: () => number = Date.now) {
		this.#findings = findings;
		this.#log = log;
		this.#now = now;
	}

	/** Why the last attempt failed, or "". */
	get failure(): string {
		return this.#failure;
	}

	/** Why nothing was put in force since `begin`, or "". */
	get refusal(): string {
		return this.#refusal;
	}

	get results(): Readonly<Record<ReloadResult, number>> {
		return this.#results;
	}

	/** How the last attempt ended; null before the first. */
	get last(): ReloadResult | null {
		return this.#last;
	}

	/** When one was last a success, in milliseconds since the epoch; null for never. */
	get lastSuccess(): number | null {
		return this.#lastSuccess;
	}

	/** Seconds from the compiled model to enforced. */
	duration(): HistogramValue {
		return this.#duration.value();
	}

	begin(): void {
		this.#refusal = "";
	}

	/** @param seconds from the compiled model to enforced, null when nothing was applied */
	ended(
		result: "applied" | "refused" | "failed",
		seconds: number | null,
		detail: string,
		reloaded: Pick<Reading, "complete" | "diagnostics" | "documents"> | null,
		state: NetworkEnforcer["state"],
	): void {
		this.#failure = result === "failed" ? detail : "";
		this.#refusal = result === "applied" ? "" : detail;
		if (seconds !== null) this.#duration.observe(seconds);
		const outcome = result !== "applied" ? "failure" : reloaded?.complete ? "success" : "partial";
		this.#results[outcome] += 1;
		this.#last = outcome;
		if (outcome === "success") this.#lastSuccess = this.#now();
		this.#findings.log(reloaded?.diagnostics ?? []);
		const policies = reloaded?.documents.filter((document) => document.enforced).length ?? 0;
		const fields = { result, detail, policies };
		if (result === "applied") {
			const { generation, elements } = state;
			const rounded = Math.round((seconds ?? 0) * 1000) / 1000;
			this.#log.info("enforced", { ...fields, generation, elements, seconds: rounded });
		} else if (state.state !== "unavailable") {
			this.#log.error("not enforced; what was in force stays", fields);
		}
		this.#findings.logUnavailable(state);
	}
}
