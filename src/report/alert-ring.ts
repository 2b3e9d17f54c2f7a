/** The newest alerts in memory, for /v1/alerts. */

import type { Action } from "../policy/model.ts";

/** An alert as it is kept and sent: its line, and what filters ask for. */
export interface AlertLine {
	readonly policy: string;
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

export class AlertRing {
	readonly #slots: AlertLine[] = [];
	readonly #capacity: number;
	/** Where the next alert goes once the ring is full. */
	#next = 0;

	/** `capacity` is config.alerts.buffer; 0 keeps nothing. */
	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	get size(): number {
		return this.#slots.length;
	}

	add(alert: AlertLine): void {
		if (this.#capacity <= 0) return;
		this.#slots[this.#next] = alert;
		this.#next = (this.#next + 1) % this.#capacity;
	}

	/** Newest first. */
	query(filter: AlertFilter): AlertLine[] {
		const found: AlertLine[] = [];
		const count = this.#slots.length;
		for (let age = 1; age <= count && found.length < filter.limit; age++) {
			const alert = this.#slots[(this.#next - age + count) % count];
			if (alert !== undefined && matchesFilter(alert, filter)) found.push(alert);
		}
		return found;
	}
}
