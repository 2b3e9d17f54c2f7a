/** Which of the flows somebody asks for. Pure. */

import type { Action } from "../../../base/model.ts";
import { parseUtc } from "../../../base/utc.ts";
import type { SeenFlow } from "./seen-flow.ts";

export interface FlowQuery {
	/** Milliseconds since the epoch; null: all. */
	readonly since: number | null;
	readonly action: Action | null;
	readonly onlyNew: boolean;
	/** Those seen last. */
	readonly limit: number;
}

export type ParsedQuery =
	| { readonly ok: true; readonly query: FlowQuery }
	| { readonly ok: false; readonly message: string; readonly hint: string };

const names = ["since", "verdict", "new", "limit"] as const;
const actions = new Map<string, Action>([
	["allow", "Allow"],
	["audit", "Audit"],
	["block", "Block"],
]);

const defaultLimit = 1000;
const mostFlows = 1_000_000;

/** Reads what stands behind the question mark of a URL. A parameter without a value is as good as absent. */
export function parseFlowQuery(text: string): ParsedQuery {
	const values = new Map<string, string>();
	for (const [name, value] of new URLSearchParams(text)) {
		if (!names.some((known) => known === name)) return wrong("unknown parameter", `use ${names.join(", ")}`);
		if (values.has(name)) return wrong(`${name} is given twice`, "give it once");
		values.set(name, value);
	}
	const given = (name: (typeof names)[number]) => values.get(name) ?? "";
	const since = given("since") === "" ? null : parseUtc(given("since"));
	if (since !== null && Number.isNaN(since))
		return wrong("since is not a time in UTC", "write since=2026-11-30T08:00:00Z");
	const action = actions.get(given("verdict").toLowerCase()) ?? null;
	if (action === null && given("verdict") !== "")
		return wrong("unknown verdict", "use verdict=allow, verdict=audit or verdict=block");
	if (!["", "true", "false"].includes(given("new")))
		return wrong("new is neither true nor false", "write new=true");
	const limit = given("limit") === "" ? defaultLimit : wholeNumber(given("limit"));
	if (!(limit >= 1 && limit <= mostFlows))
		return wrong(`limit is not a whole number from 1 to ${mostFlows}`, "write limit=100");
	return { ok: true, query: { since, action, onlyNew: given("new") === "true", limit } };
}

function wrong(message: string, hint: string): ParsedQuery {
	return { ok: false, message, hint };
}

function wholeNumber(text: string): number {
	return /^\d{1,7}$/u.test(text) ? Number(text) : Number.NaN;
}

/** Whether a flow is asked for, but for how many. */
export function isAskedFor(
	{ since, action, onlyNew }: FlowQuery,
	flow: Pick<SeenFlow, "lastSeen" | "action" | "isNew">,
): boolean {
	if (since !== null && flow.lastSeen < since) return false;
	return (action === null || flow.action === action) && (!onlyNew || flow.isNew);
}
