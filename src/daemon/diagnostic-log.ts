/** What is wrong, in the log: each finding once, and again when it has gone and come back. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { EnforcerState } from "../enforcers/network/run/enforcer-options.ts";
import type { Logger } from "../report/log.ts";

export class DiagnosticLog {
	readonly #log: Logger;
	#logged = new Set<string>();
	#unavailable = "";

	constructor(log: Logger) {
		this.#log = log;
	}

	/** `diagnostics` is everything that is found now. */
	log(diagnostics: readonly Diagnostic[]): void {
		const now = new Set<string>();
		for (const { file, line, column, path, severity, code, message, hint } of diagnostics) {
			const key = `${file}:${line}:${column} ${code} ${message}`;
			now.add(key);
			if (this.#logged.has(key)) continue;
			const fields = { place: `${file}:${line}:${column}`, path, code, hint };
			if (severity === "error") this.#log.error(message, fields);
			else this.#log.warn(message, fields);
		}
		this.#logged = now;
	}

	/** Told of the network enforcer's state whenever that may have changed. */
	logUnavailable({ state, reason }: Pick<EnforcerState, "state" | "reason">): void {
		const unavailable = state === "unavailable" ? reason : "";
		if (unavailable !== "" && unavailable !== this.#unavailable)
			this.#log.error("the network enforcer is unavailable", { reason });
		this.#unavailable = unavailable;
	}
}
