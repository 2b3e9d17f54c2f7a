/** What status and alerts say about the signature of the policy directory. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import { systemAlert } from "./system-alert.ts";

export interface SignatureState {
	/** Whether the directory on disk is what a trusted key signed, and no older than what was in force. */
	readonly ok: boolean;
	/** Serial of that set, or while it is refused of the newest that was in force; null when there was none. */
	readonly serial: number | null;
	/** Why it is refused; null when it is not. */
	readonly problem: string | null;
	/** What to do about it; "" when nothing is wrong. */
	readonly remedy: string;
	/** What stands in while it is refused: policies signed before, ones of which nobody can tell, or none. */
	readonly standing: "signed" | "unknown" | "none" | null;
}

/** What is in force while the directory is refused. */
export function describeStanding(standing: SignatureState["standing"]): string {
	if (standing === "signed") return "in force is what was signed before";
	if (standing === "unknown")
		return "what was in force before stays, and nobody can tell whether that was signed";
	return "nothing of before is known that could stand in; rules that the kernel still holds stay";
}

/** The alert that the serial was forgotten. `time` is in milliseconds since the epoch. */
export function serialResetAlert(directory: string, by: string, time: number, host: HostIdentity): Alert {
	return systemAlert(
		{
			time,
			resource: directory,
			message: "The serial of signed policies was reset: an older signed set than before would be taken",
			severity: 8,
			tags: ["SIGNATURE"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { By: by },
		},
		host,
	);
}

/** The alert for a directory that is refused. `time` is in milliseconds since the epoch. */
export function signatureAlert(
	problem: string,
	directory: string,
	standing: SignatureState["standing"],
	serials: Readonly<Record<"Serial" | "Accepted", number | null>>,
	time: number,
	host: HostIdentity,
): Alert {
	return systemAlert(
		{
			time,
			resource: directory,
			message: `The policy directory is refused: ${problem}; ${describeStanding(standing)}`,
			severity: 9,
			tags: ["SIGNATURE"],
			action: "Block",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Serial: serials.Serial === null ? "" : String(serials.Serial),
				Accepted: serials.Accepted === null ? "" : String(serials.Accepted),
			},
		},
		host,
	);
}
