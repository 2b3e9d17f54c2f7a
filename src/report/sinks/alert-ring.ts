/** The newest alerts in memory, for /v1/alerts. A policy that raises few keeps them, however many others raise. */

import type { Action } from "../../base/model.ts";
import { FairStore } from "./fair-shares.ts";

/** An alert as it is kept and sent: its line, and what filters ask for. */
export interface AlertLine {
	/** The policy that it is about; "" for none. */
	readonly policy: string;
	/** Which of the policy's rules it is about, such as `INGRESS 2`; absent for none. */
	readonly rule?: string;
	readonly action: Action;
	/** The alert as JSON, without a newline. */
	readonly json: string;
}

export interface AlertFilter {
	/** At most this many alerts. */
	readonly limit: number;
	/** Exact policy name, or null for any. */
	readonly policy: string | null;
	readonly action: Action | null;
}

/** Whether `alert` passes the filter's policy and action. */
export function matchesFilter(alert: AlertLine, filter: Pick<AlertFilter, "policy" | "action">): boolean {
	return (
		(filter.policy === null || alert.policy === filter.policy) &&
		(filter.action === null || alert.action === filter.action)
	);
}

interface Kept {
	readonly owner: string;
	readonly part: string;
	readonly line: AlertLine;
}

export class AlertRing {
	readonly #kept: FairStore<Kept>;

	/** `capacity` is config.alerts.buffer; 0 keeps nothing. */
	constructor(capacity: number) {
		this.#kept = new FairStore(capacity);
	}

	get size(): number {
		return this.#kept.size;
	}

	/** Adds an alert. In a full ring the policy that has most alerts in it gives up its oldest. */
	add(alert: AlertLine): void {
		this.#kept.add({ owner: alert.policy, part: alert.rule ?? "", line: alert });
	}

	/** Newest first. */
	query(filter: AlertFilter): AlertLine[] {
		const kept = this.#kept.values();
		const found: AlertLine[] = [];
		for (let index = kept.length - 1; index >= 0 && found.length < filter.limit; index--) {
			const line = kept[index]?.line;
			if (line !== undefined && matchesFilter(line, filter)) found.push(line);
		}
		return found;
	}
}
