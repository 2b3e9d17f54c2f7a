/** The alert for somebody else changing the table. Pure. */

import type { Alert, HostIdentity } from "../../../report/alert.ts";
import { systemAlert } from "../../../report/system-alert.ts";
import type { DriftEvent } from "../observe/event.ts";

/** The alert for drift that was found; the daemon repairs it at once. `table` is the table's name. */
export function driftAlert(drift: DriftEvent, table: string, host: HostIdentity): Alert {
	return systemAlert(
		{
			time: drift.time,
			resource: `table inet ${table}`,
			message: "Somebody else changed the firewall's table; it is being restored",
			severity: 8,
			tags: ["DRIFT"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Generation: String(drift.generation),
				PID: drift.pid > 0 ? String(drift.pid) : "",
				Process: drift.process,
				Changes: drift.changes.join(","),
			},
		},
		host,
	);
}
