/** That the serial of signed policies was reset while no daemon ran: the next one alerts it. */

import { join } from "node:path";
import { readState, removeState, writeState } from "./state-file.ts";

function resetPath(stateDirectory: string): string {
	return join(stateDirectory, "serial-reset.json");
}

/** @param by who did it, for a person to read. Returns an error text, or null. */
export function noteReset(stateDirectory: string, by: string): string | null {
	return writeState(resetPath(stateDirectory), { by });
}

/** Who reset it since the last time that this was asked; null when nobody did. What is damaged counts as somebody. */
export function takeReset(stateDirectory: string): string | null {
	const state = readState(resetPath(stateDirectory));
	if (!state.ok && state.reason === "absent") return null;
	removeState(resetPath(stateDirectory));
	const value = state.ok ? state.value : null;
	const by = typeof value === "object" && value !== null && "by" in value ? value.by : null;
	return typeof by === "string" ? by : "somebody";
}
