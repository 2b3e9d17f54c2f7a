/** Whether the daemon is alive and what it is doing, for the service manager. */

import type { DaemonState } from "../report/status.ts";
import type { WorkerClient } from "../threads/rpc.ts";
import type { Vitals } from "./service-manager.ts";

/** A million elements are compiled and loaded in less, also on a slow machine. */
export const longestJobMs = 10 * 60_000;

type Busy = Pick<WorkerClient<never>, "busy">;

/** @param workers by name. A Worker that ended is told by other means; here those count that answer no more. */
export function daemonVitals(workers: Readonly<Record<string, Busy>>, state: () => DaemonState): Vitals {
	return {
		stuck: () => {
			for (const [name, { busy }] of Object.entries(workers)) {
				if (busy === null || busy.milliseconds < longestJobMs) continue;
				const seconds = Math.round(busy.milliseconds / 1000);
				return `the ${name} worker has been at ${busy.call} for ${seconds} s`;
			}
			return "";
		},
		status: () => statusLine(state()),
	};
}

/** What `systemctl status` shows: "network active, USB active, 12 policies; ready: …". */
export function statusLine({ enforcers, policies, readiness }: DaemonState): string {
	const enforced = policies.filter((policy) => policy.enforced).length;
	const states = enforcers.map(({ label, state }) => `${label} ${state.state}, `).join("");
	return `${states}${enforced} policies enforced; ${readiness.body}`;
}
