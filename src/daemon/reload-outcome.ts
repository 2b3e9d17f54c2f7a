/** What became of a reload, for who asked for it: it failed where what is on disk is not in force. Pure. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import type { DaemonState } from "../report/status.ts";
import { describeTests } from "../report/tests-status.ts";
import type { ControlReply } from "../serve/control/control-protocol.ts";

export interface ReloadFacts {
	/** What is wrong with the settings, or "". */
	readonly settings: string;
	/** Why nothing was put in force, or "". */
	readonly refusal: string;
	/** Settings that differ and wait for a restart. */
	readonly needRestart: readonly string[];
	readonly state: Pick<DaemonState, "panic" | "pending" | "policies" | "readiness" | "signature" | "tests">;
}

/** Errors in policies that are told one by one. */
const mostNamed = 5;

function errorText({ file, line, column, message, hint }: Diagnostic): string {
	const text = `${message}${hint === "" ? "" : `; ${hint}`}`;
	return `${escapeForTerminal(file)}:${line}:${column}: ${escapeForTerminal(text)}`;
}

export function reloadOutcome({ settings, refusal, needRestart, state }: ReloadFacts): ControlReply {
	const { panic, pending, policies, readiness, signature, tests } = state;
	const errors = policies
		.flatMap(({ diagnostics }) => diagnostics)
		.filter(({ severity }) => severity === "error");
	const named = errors.slice(0, mostNamed).map(errorText);
	if (errors.length > mostNamed)
		named.push(`and ${errors.length - mostNamed} more, which portward status shows`);
	const wrong = [
		settings,
		refusal === "" ? "" : `not enforced, and what was in force stays: ${refusal}`,
		signature?.problem ? `the policy directory is refused: ${signature.problem}` : "",
		(tests?.refused === true && describeTests(tests)) || "",
		errors.length === 0 ? "" : `broken policies, of which nothing new is in force:\n${named.join("\n")}`,
	].filter((text) => text !== "");
	if (wrong.length === 0 && panic === null && !readiness.ready) wrong.push(readiness.body);
	const notes = [
		(tests?.refused === false && describeTests(tests)) || "",
		panic === null ? "" : "panic-open stands: no network policy is enforced",
		pending === null ? "" : `change ${pending.id} waits for its confirmation`,
		needRestart.length === 0 ? "" : `these settings take effect at the next start: ${needRestart.join(", ")}`,
	].filter((text) => text !== "");
	return wrong.length > 0
		? { ok: false, message: [...wrong, ...notes].join("\n") }
		: { ok: true, message: ["reloaded: what is on disk is in force", ...notes].join("\n") };
}
