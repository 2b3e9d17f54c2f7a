/** Alerts about panic-open: the network table lets everything pass, by root's own word. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import type { PanicState } from "./status.ts";
import { systemAlert } from "./system-alert.ts";

/** The alert at the opening (`open`) and at `portward resume`. `time` is in milliseconds since the epoch. */
export function panicAlert(
	panic: PanicState,
	open: boolean,
	table: string,
	time: number,
	host: HostIdentity,
): Alert {
	return systemAlert(
		{
			time,
			resource: `table inet ${table}`,
			message: open
				? "panic-open: no network policy is enforced until portward resume"
				: "The network policies are enforced again after panic-open",
			severity: open ? 10 : 5,
			tags: ["PANIC"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Reason: panic.reason, Since: panic.since },
		},
		host,
	);
}
