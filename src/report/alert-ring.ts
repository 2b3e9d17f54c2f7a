/** The newest alerts in memory, for /v1/alerts. */

import type { Action } from "../policy/model.ts";
import type { Alert } from "./alert.ts";

export interface AlertFilter {
	/** At most this many alerts. */
	readonly limit: number;
	/** Exact policy name, or null for any. */
	readonly policy: string | null;
	readonly action: Action | null;
}

/** Whether `alert` passes the filter's policy and action. */
export function matchesFilter(alert: Alert, filter: Pick<AlertFilter, "policy" | "action">): boolean {
	return (
		(filter.policy === null || alert.PolicyName === filter.policy) &&
		(filter.action === null || alert.Action === filter.action)
	);
}

export class AlertRing {
	readonly #slots: Alert[] = [];
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

	add(alert: Alert): void {
		if (this.#capacity <= 0) return;
		this.#slots[this.#next] = alert;
		this.#next = (this.#next + 1) % this.#capacity;
	}

	/** Newest first. */
	query(filter: AlertFilter): Alert[] {
		const found: Alert[] = [];
		const count = this.#slots.length;
		for (let age = 1; age <= count && found.length < filter.limit; age++) {
			const alert = this.#slots[(this.#next - age + count) % count];
			if (alert !== undefined && matchesFilter(alert, filter)) found.push(alert);
		}
		return found;
	}
}
