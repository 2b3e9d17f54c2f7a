/** Alerts about open connections that were ended. Pure. */

import type { Alert, HostIdentity } from "../../../report/alert.ts";
import { systemAlert } from "../../../report/system-alert.ts";

/** Why connections that no Block means were ended. `loss`: they began while the table was not whole. */
export type StrayReason = "loss" | "start";

/** What became of open connections since the daemon started. */
export interface FlowCounts {
	/** Ended by an explicit Block. */
	readonly blocked: number;
	/** Ended because they slipped in while the table was not whole. */
	readonly loss: number;
	/** Ended at the first start, as `endRefusedAtStart` says. */
	readonly start: number;
	/** Tuples that are refused now. */
	readonly refused: number;
	/** Tuples that should be refused now and for which there is no room. */
	readonly overflow: number;
}

const messages: Readonly<Record<StrayReason, string>> = {
	loss: "Connections that began while the firewall's table was not whole, and that the policies refuse, were ended",
	start: "Connections that were open before the first start, and that the policies refuse, were ended",
};

/** The alert for connections that were ended though no Block means them. @param since milliseconds since the epoch, or null. */
export function strayAlert(
	reason: StrayReason,
	count: number,
	{ since, time, table }: { readonly since: number | null; readonly time: number; readonly table: string },
	host: HostIdentity,
): Alert {
	return systemAlert(
		{
			time,
			resource: `table inet ${table}`,
			message: messages[reason],
			severity: 7,
			tags: ["DRIFT"],
			action: "Block",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Connections: String(count),
				Since: since === null ? "" : new Date(since).toISOString(),
			},
		},
		host,
	);
}

/** The alert for counters that began at zero because the table was deleted. */
export function countersAnewAlert(time: number, table: string, host: HostIdentity): Alert {
	return systemAlert(
		{
			time,
			resource: `table inet ${table}`,
			message: "The firewall's table had been deleted: the counters of its rules begin anew",
			severity: 5,
			tags: ["DRIFT"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {},
		},
		host,
	);
}
