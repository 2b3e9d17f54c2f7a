/** What status and alerts say about the files that groups of addresses are read from. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import { systemAlert } from "./system-alert.ts";

export interface FeedState {
	readonly group: string;
	/** Where it lies. */
	readonly file: string;
	/** `last-good`: what was good before stands in. `unusable`: nothing does. */
	readonly state: "current" | "last-good" | "unusable";
	/** Of the list that is taken; null where none is. */
	readonly blocks: number | null;
	/** Why the file is not taken, or "". */
	readonly problem: string;
}

/** In one line; null where the file is taken as it is. */
export function describeFeed({ group, state, blocks, problem }: FeedState): string | null {
	if (state === "current") return null;
	const stands =
		state === "last-good"
			? `its last good list of ${blocks} blocks stays`
			: "policies that name it are not in force";
	return `the file of the group ${group} is not taken, and ${stands}: ${problem}`;
}

/** The alert that a file is not taken. `time` is in milliseconds since the epoch. */
export function feedAlert(state: FeedState, time: number, host: HostIdentity): Alert {
	const { group, file, blocks, problem } = state;
	const stands = state.state === "last-good";
	return systemAlert(
		{
			time,
			resource: file,
			message: stands
				? "The file of an address group is refused; its last good list stays in force"
				: "The file of an address group is refused; policies that name the group are not in force",
			severity: stands ? 6 : 8,
			tags: ["ADDRESS-GROUP"],
			action: stands ? "Block" : "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Group: group, Blocks: blocks === null ? "" : String(blocks), Reason: problem },
		},
		host,
	);
}
