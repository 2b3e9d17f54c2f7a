/** What status and alerts say about the settings file. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import { systemAlert } from "./system-alert.ts";

export interface SettingsState {
	/** What is wrong with the settings on disk, with its place; "" where they are in force. */
	readonly problem: string;
	/** What a start would do now with the broken ones: take the last good ones, or fail. */
	readonly restart: "last-good" | "fails";
}

/** "", or a sentence about the broken settings. */
export function settingsSentence({ problem, restart }: SettingsState): string {
	if (problem === "") return "";
	const then = restart === "last-good" ? "a restart takes the last good ones as well" : "a restart will fail";
	return `settings on disk are broken, the old ones are in force, ${then}`;
}

/** What is enforced goes on, but whoever looks must learn that an edit is not in force. */
export function noteSettings<R extends { readonly body: string }>(readiness: R, settings: SettingsState): R {
	const sentence = settingsSentence(settings);
	return sentence === "" ? readiness : { ...readiness, body: `${readiness.body}; ${sentence}` };
}

/** The alert for settings that are broken. `time` is in milliseconds since the epoch. */
export function settingsAlert(
	settings: SettingsState,
	file: string,
	time: number,
	host: HostIdentity,
): Alert {
	return systemAlert(
		{
			time,
			resource: file,
			message: `The ${settingsSentence(settings)}: ${settings.problem}`,
			severity: 7,
			tags: ["SETTINGS"],
			action: "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: { Problem: settings.problem },
		},
		host,
	);
}
