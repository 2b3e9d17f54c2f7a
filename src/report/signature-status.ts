/** What status, metrics and alerts say about the signature of the policy directory. Pure. */

import type { Alert } from "./alert.ts";
import type { Family } from "./exposition.ts";
import type { HostIdentity } from "./network-alert.ts";
import { systemAlert } from "./system-alert.ts";

export interface SignatureState {
	/** Whether the directory on disk is what a trusted key signed, and no older than what was in force. */
	readonly ok: boolean;
	/** Serial of that set, or while it is refused of the newest that was in force; null when there was none. */
	readonly serial: number | null;
	/** Why it is refused; null when it is not. */
	readonly problem: string | null;
}

/** No samples where no signature is required. */
export function signatureFamilies(signature: SignatureState | null): Family[] {
	const serial = signature?.serial ?? null;
	return [
		{
			name: "portward_policy_signature_ok",
			type: "gauge",
			help: "Whether the policy directory is signed with a trusted key and no older than what was in force.",
			samples: signature === null ? [] : [{ labels: {}, value: Number(signature.ok) }],
		},
		{
			name: "portward_policy_serial",
			type: "gauge",
			help: "Serial number of the signed policies that are taken.",
			samples: serial === null ? [] : [{ labels: {}, value: serial }],
		},
	];
}

/** The alert for a directory that is refused. `time` is in milliseconds since the epoch. */
export function signatureAlert(
	problem: string,
	directory: string,
	serials: Readonly<Record<"Serial" | "Accepted", number | null>>,
	time: number,
	host: HostIdentity,
): Alert {
	return systemAlert(
		{
			time,
			resource: directory,
			message: `The policy directory is refused, and what was in force stays: ${problem}`,
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
