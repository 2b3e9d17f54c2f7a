/** What the status says while `enforcement: audit` keeps the policies from refusing anything. */

import type { Config } from "../config/model.ts";
import type { Readiness } from "./status.ts";
import { storageWarnings } from "./storage-warnings.ts";

type Setting = Pick<Config, "enforcement">;

/** What status and page say of the settings: that nothing is refused, and disks that cannot be written. */
export function settingsWarnings(config: Pick<Config, "enforcement" | "stateDir" | "alerts">): string[] {
	return [...enforcementWarnings(config), ...storageWarnings(config)];
}

function enforcementWarnings({ enforcement }: Setting): string[] {
	if (enforcement === "enforce") return [];
	return ["enforcement is audit: no policy refuses anything; alerts with WouldBe tell what it would refuse"];
}

/** Ready, but nobody must take it for protected. */
export function noteEnforcement(readiness: Readiness, { enforcement }: Setting): Readiness {
	if (enforcement === "enforce" || !readiness.ready) return readiness;
	return { ...readiness, body: `${readiness.body}; enforcement is audit, so nothing is refused` };
}

/** What becomes of what no rule matches: `audit` too while nothing is refused. */
export function postureInForce<T extends "audit" | "block">(posture: T, { enforcement }: Setting) {
	return enforcement === "audit" ? "audit" : posture;
}
