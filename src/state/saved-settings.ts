/** The last good settings file, as text, in the state directory: what a start falls back to while the file is broken. */

import { join } from "node:path";
import { readState, writeState } from "./state-file.ts";

export interface SettingsText {
	/** The file that it was read from; null where there was none, and the defaults held. */
	readonly file: string | null;
	readonly text: string;
}

export function savedSettingsPath(stateDirectory: string): string {
	return join(stateDirectory, "settings.json");
}

/** Null where there are none that are whole; nobody needs them but who has nothing better. */
export function readSavedSettings(stateDirectory: string): SettingsText | null {
	const state = readState(savedSettingsPath(stateDirectory));
	return state.ok && isSettingsText(state.value) ? state.value : null;
}

function isSettingsText(value: unknown): value is SettingsText {
	if (typeof value !== "object" || value === null || !("file" in value) || !("text" in value)) return false;
	return (value.file === null || typeof value.file === "string") && typeof value.text === "string";
}

/** Returns an error text, or null. What is there already is not written again. */
export function saveSettings(stateDirectory: string, { file, text }: SettingsText): string | null {
	return writeState(savedSettingsPath(stateDirectory), { file, text });
}
