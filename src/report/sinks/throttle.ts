/**
 * KubeArmor's throttling of alerts, for each policy by itself: one that raises more than so many in a second raises none
 * for a while. How many were held back is told when that is over. What is about the daemon itself is never held back. Pure.
 */

import type { Alert, HostIdentity } from "../alert.ts";
import { systemAlert } from "../system-alert.ts";

export interface ThrottleSettings {
	readonly alertThrottling: boolean;
	readonly maxAlertPerSec: number;
	readonly throttleSec: number;
}

/** Alerts of a policy that were held back. */
export interface HeldBack {
	readonly policy: string;
	readonly count: number;
	readonly seconds: number;
}

/** Policies that are known at a time; when there are more, those that are not throttled are forgotten. */
const mostPolicies = 10_000;

interface Known {
	/** When the second began that is counted, and what came in it. */
	since: number;
	count: number;
	/** Until when it is throttled; null while it is not. */
	until: number | null;
	held: number;
}

export class AlertThrottle {
	readonly #known = new Map<string, Known>();
	#held = 0;

	/** Alerts that were held back since the start. */
	get held(): number {
		return this.#held;
	}

	/** Which of `alerts` go on. `now` is in milliseconds on a clock that only goes forward. */
	admit(alerts: readonly Alert[], settings: ThrottleSettings, now: number): readonly Alert[] {
		if (!settings.alertThrottling) return alerts;
		return alerts.filter(({ PolicyName }) => PolicyName === "" || this.#passes(PolicyName, settings, now));
	}

	/** The policies whose throttling is over, which count anew; all of them where it was switched off. */
	ended({ alertThrottling, throttleSec }: ThrottleSettings, now: number): readonly HeldBack[] {
		const ended: HeldBack[] = [];
		for (const [policy, known] of this.#known) {
			if (known.until === null || (alertThrottling && now < known.until)) continue;
			this.#known.delete(policy);
			ended.push({ policy, count: known.held, seconds: throttleSec });
		}
		return ended;
	}

	/** Whether `ended` has something to wait for. */
	get throttles(): boolean {
		return this.#known.values().some(({ until }) => until !== null);
	}

	#passes(policy: string, { maxAlertPerSec, throttleSec }: ThrottleSettings, now: number): boolean {
		const known = this.#known.get(policy) ?? { since: now, count: 0, until: null, held: 0 };
		if (!this.#known.has(policy)) this.#add(policy, known);
		if (known.until === null) {
			if (now - known.since >= 1000) {
				known.since = now;
				known.count = 0;
			}
			if (++known.count <= maxAlertPerSec) return true;
			known.until = now + throttleSec * 1000;
		}
		known.held++;
		this.#held++;
		return false;
	}

	#add(policy: string, known: Known): void {
		if (this.#known.size >= mostPolicies) {
			for (const [name, { until }] of this.#known) if (until === null) this.#known.delete(name);
		}
		if (this.#known.size < mostPolicies) this.#known.set(policy, known);
	}
}

/** The alert for what was held back. `time` is in milliseconds since the epoch. */
export function throttleAlert({ policy, count, seconds }: HeldBack, time: number, host: HostIdentity): Alert {
	return systemAlert(
		{
			time,
			resource: `policy ${policy}`,
			message: `${count} ${count === 1 ? "alert" : "alerts"} of policy ${policy} ${count === 1 ? "was" : "were"} held back for ${seconds} s, as they came too fast`,
			severity: 3,
			tags: ["THROTTLED"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Policy: policy, Suppressed: String(count), Seconds: String(seconds) },
		},
		host,
	);
}
