/** Which alerts a sink wants. Pure. */

import type { SinkSettings } from "../config/sinks.ts";
import { type Alert, plainAction } from "../report/alert.ts";

export type SinkFilter = Pick<SinkSettings, "policies" | "actions" | "minSeverity" | "kinds">;

/** An alert of the daemon itself is about the policy that its details name, if any. */
export function wants({ policies, actions, minSeverity, kinds }: SinkFilter, alert: Alert): boolean {
	const { PolicyName, Action, Severity, Type, EventData } = alert;
	return (
		(policies.length === 0 || policies.includes(PolicyName || (EventData.Policy ?? ""))) &&
		(actions.length === 0 || actions.includes(plainAction(Action))) &&
		(kinds.length === 0 || kinds.includes(Type)) &&
		(Number(Severity) || 1) >= minSeverity
	);
}
