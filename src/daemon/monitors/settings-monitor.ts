/** Whether the settings on disk are those in force: kept when they are good, told once when they are broken. */

import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import type { HostIdentity } from "../../report/alert.ts";
import type { Logger } from "../../report/log.ts";
import { type SettingsState, settingsAlert, settingsSentence } from "../../report/settings-status.ts";
import type { AlertSink } from "../../report/sinks/alert-sink.ts";
import { readSavedSettings, type SettingsText, saveSettings } from "../../state/saved-settings.ts";

/** What a reading of the settings file gave. */
export interface SettingsReading {
	/** Null where the file is broken. */
	readonly config: Config | null;
	readonly diagnostics: readonly Diagnostic[];
	/** As it was read, to be kept; null where it is broken. */
	readonly source: SettingsText | null;
}

/** Characters of a problem that are told. */
const longestProblem = 500;

export class SettingsMonitor {
	readonly #stateDirectory: string;
	readonly #sink: Pick<AlertSink, "publish">;
	readonly #identity: HostIdentity;
	readonly #log: Logger;
	#state: SettingsState = { problem: "", restart: "last-good" };

	constructor(stateDirectory: string, sink: Pick<AlertSink, "publish">, identity: HostIdentity, log: Logger) {
		this.#stateDirectory = stateDirectory;
		this.#sink = sink;
		this.#identity = identity;
		this.#log = log;
	}

	get state(): SettingsState {
		return this.#state;
	}

	/** What the operator should know about them. */
	get warnings(): readonly string[] {
		const sentence = settingsSentence(this.#state);
		return sentence === "" ? [] : [`${sentence}: ${this.#state.problem}`];
	}

	/** Takes what was read. Returns what is wrong with it, or "". */
	read({ config, diagnostics, source }: SettingsReading): string {
		const before = this.#state.problem;
		if (config !== null) {
			// An endpoint that is refused is told elsewhere; enforcement goes on with the rest.
			this.#state = { problem: "", restart: "last-good" };
			if (before !== "") this.#log.info("the settings on disk are right again");
			this.#keep(source);
			return "";
		}
		const first = diagnostics.find(({ severity }) => severity === "error");
		const problem = first === undefined ? "they cannot be read" : describe(first);
		const restart = readSavedSettings(this.#stateDirectory) === null ? "fails" : "last-good";
		this.#state = { problem, restart };
		if (problem !== before) {
			this.#log.error(settingsSentence(this.#state), { reason: problem });
			this.#sink.publish([settingsAlert(this.#state, first?.file ?? "settings", Date.now(), this.#identity)]);
		}
		return `${settingsSentence(this.#state)}: ${problem}`;
	}

	#keep(source: SettingsText | null): void {
		const unsaved = source === null ? null : saveSettings(this.#stateDirectory, source);
		if (unsaved !== null) this.#log.warn("the settings cannot be kept for a start", { reason: unsaved });
	}
}

function describe({ file, line, column, message, hint }: Diagnostic): string {
	const more = hint === "" ? "" : `; ${hint}`;
	return `${file}:${line}:${column}: ${message}${more}`.slice(0, longestProblem);
}
