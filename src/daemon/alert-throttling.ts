/** Throttles alerts as the settings of the moment say, and tells of what was held back when that is over. */

import type { Alert, HostIdentity } from "../report/alert.ts";
import { AlertThrottle, type ThrottleSettings, throttleAlert } from "../report/sinks/throttle.ts";

/** Milliseconds between two looks at what is over. */
const lookInterval = 1000;

export interface ThrottleTelling {
	readonly sink: { publish(alerts: readonly Alert[]): void };
	readonly identity: HostIdentity;
	readonly settings: () => ThrottleSettings;
}

export class AlertThrottling {
	readonly #throttle = new AlertThrottle();
	#telling: ThrottleTelling | null = null;
	#timer: ReturnType<typeof setTimeout> | null = null;

	/** Nothing is held back before. */
	begin(telling: ThrottleTelling): void {
		this.#telling = telling;
	}

	/** Alerts that were held back since the start. */
	get held(): number {
		return this.#throttle.held;
	}

	/** Which of `alerts` go on. */
	admit(alerts: readonly Alert[]): readonly Alert[] {
		if (this.#telling === null) return alerts;
		const admitted = this.#throttle.admit(alerts, this.#telling.settings(), performance.now());
		if (admitted.length < alerts.length) this.#look();
		return admitted;
	}

	/** Tells of what is held back until now. */
	stop(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
		if (this.#telling !== null) this.#tell({ ...this.#telling.settings(), alertThrottling: false });
	}

	#look(): void {
		if (this.#timer !== null) return;
		this.#timer = setTimeout(() => {
			this.#timer = null;
			if (this.#telling !== null) this.#tell(this.#telling.settings());
			if (this.#throttle.throttles) this.#look();
		}, lookInterval);
	}

	#tell(settings: ThrottleSettings): void {
		const ended = this.#throttle.ended(settings, performance.now());
		if (this.#telling === null || ended.length === 0) return;
		const { sink, identity } = this.#telling;
		sink.publish(ended.map((held) => throttleAlert(held, Date.now(), identity)));
	}
}
