/** Alerts about changes of policies that wait for their confirmation. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import type { PendingState } from "./status.ts";
import { systemAlert } from "./system-alert.ts";

export type ChangeStep = "started" | "resumed" | "confirmed" | "rolled_back" | "refused";

const messages: Readonly<Record<ChangeStep, string>> = {
	started: "New policies are in force, and roll back unless they are confirmed",
	resumed:
		"The daemon was started anew; policies that are not confirmed yet stay in force until they roll back",
	confirmed: "New policies were confirmed, and stay",
	rolled_back: "New policies were not confirmed; those from before are in force again",
	refused: "A change of the policies was refused",
};

/** What is known of the change; null for a record of it that was lost. */
export type ChangeFacts = Pick<PendingState, "id" | "source" | "from" | "seconds" | "asker"> | null;

/** `time` is in milliseconds since the epoch, `reason` why or how, in one line or several. */
export function changeAlert(
	step: ChangeStep,
	change: ChangeFacts,
	reason: string,
	time: number,
	host: HostIdentity,
): Alert {
	const asker = change?.asker ?? null;
	return systemAlert(
		{
			time,
			resource: "policies",
			message: messages[step],
			severity: step === "rolled_back" ? 8 : step === "refused" ? 6 : 5,
			tags: ["PENDING-CHANGE"],
			action: step === "rolled_back" || step === "refused" ? "Block" : "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Change: change?.id ?? "",
				Step: step,
				From: change?.from ?? "",
				Seconds: change === null ? "" : String(change.seconds),
				UID: asker === null ? "" : String(asker.uid),
				PID: asker === null ? "" : String(asker.pid),
				Session: asker?.session?.connection ?? "",
				Reason: reason,
			},
		},
		host,
	);
}
