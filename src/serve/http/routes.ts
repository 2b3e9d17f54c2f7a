/** Which answer a request gets. The server knows connections; this knows what is asked. */

import type { Action } from "../../base/model.ts";
import type { ReportRoute } from "../../report/contribution.ts";
import { generationsPath, generationsReply } from "../../report/generations/generations-page.ts";
import { expositionType } from "../../report/metrics/exposition.ts";
import { pageReply } from "../../report/page/page.ts";
import { errorReply, jsonReply, jsonType, type Reply, textReply } from "../../report/reply.ts";
import { noteSettings } from "../../report/settings-status.ts";
import type { AlertFilter, AlertRing } from "../../report/sinks/alert-ring.ts";
import type { AlertSubscriber } from "../../report/sinks/alert-sink.ts";
import { type DaemonState, defaultPage, longestPage, statusDocument } from "../../report/status.ts";
import { isReply, parseQuery, wholeNumber } from "./query.ts";
import type { Request } from "./request.ts";

/** Where the answers come from. */
export interface HttpSource {
	/** Brings the packet counts of `state` up to date, as far as the kernel answers in time. */
	refresh(): Promise<void>;
	state(): DaemonState;
	/** The body of /metrics, with counts up to date. */
	metrics(): Promise<string> | string;
	readonly alerts: AlertRing;
	/** Adds a live stream; the returned function removes it. */
	subscribe(subscriber: AlertSubscriber): () => void;
	/** An answer of many megabytes was given, which leaves as much behind. */
	answeredMuch?(): void;
}

export type Answer =
	| { readonly kind: "reply"; readonly reply: Reply }
	| { readonly kind: "stream"; readonly asked: StreamRequest };

/** Which alerts a stream is for, and whether as JSON of all fields or as the page's rows. */
export interface StreamRequest {
	readonly filter: Pick<AlertFilter, "policy" | "action">;
	readonly form: "fields" | "sentence";
}

/** Alerts that /v1/alerts gives when no limit is asked for, and at most. */
const defaultLimit = 1000;
const maxLimit = 1_000_000;

/** Alerts on the status page. */
const pageAlerts = 50;

function reply(value: Reply): Answer {
	return { kind: "reply", reply: value };
}

const actions: Readonly<Record<string, Action>> = { allow: "Allow", audit: "Audit", block: "Block" };

const limitOfAlerts = {
	name: "limit",
	least: 1,
	most: maxLimit,
	example: "limit=100",
	fallback: defaultLimit,
} as const;

type AlertParameter = "limit" | "policy" | "action";

/** The filter that a query asks for, or what is wrong with it. */
function filterOf(values: Partial<Record<AlertParameter, string>>): AlertFilter | Reply {
	const limit = wholeNumber(values.limit, limitOfAlerts);
	if (isReply(limit)) return limit;
	const word = values.action?.toLowerCase() ?? "";
	const action = Object.hasOwn(actions, word) ? (actions[word] ?? null) : null;
	if (action === null && word !== "")
		return errorReply(400, "unknown action", "use action=Allow, action=Audit or action=Block");
	return { limit, policy: values.policy ?? null, action };
}

const limitOfPolicies = {
	name: "limit",
	least: 1,
	most: longestPage,
	example: "limit=1000",
	fallback: defaultPage,
} as const;
const offsetOfPolicies = {
	name: "offset",
	least: 0,
	most: 9_999_999,
	example: "offset=1000",
	fallback: 0,
} as const;

async function status(query: string, source: HttpSource): Promise<Reply> {
	const values = parseQuery(query, ["limit", "offset"]);
	if (isReply(values)) return values;
	const limit = wholeNumber(values.limit, limitOfPolicies);
	if (isReply(limit)) return limit;
	const offset = wholeNumber(values.offset, offsetOfPolicies);
	if (isReply(offset)) return offset;
	const asked = values.limit === undefined && values.offset === undefined ? null : { limit, offset };
	return jsonReply(200, statusDocument(await fresh(source), asked));
}

function alerts(query: string, source: HttpSource): Reply {
	const values = parseQuery(query, ["limit", "policy", "action"]);
	if (isReply(values)) return values;
	const filter = filterOf(values);
	if (isReply(filter)) return filter;
	const lines = source.alerts.query(filter).map((line) => line.json);
	return { status: 200, type: jsonType, body: `{"alerts":[${lines.join(",\n")}]}\n` };
}

function parseStream(query: string): StreamRequest | Reply {
	const values = parseQuery(query, ["policy", "action", "as"]);
	if (isReply(values)) return values;
	const { as: form = "fields", ...filters } = values;
	const filter = filterOf(filters);
	if (isReply(filter)) return filter;
	if (form !== "fields" && form !== "sentence")
		return errorReply(400, "unknown form", "use as=fields or as=sentence");
	return { filter, form };
}

function readiness(source: HttpSource, detail: Detail): Reply {
	const { readiness, settings } = source.state();
	const { ready, body } = readiness;
	// That settings are broken names nothing of this host.
	const word = noteSettings({ body: ready ? "ready" : "not ready" }, settings).body;
	return textReply(ready ? 200 : 503, detail === "full" ? body : word);
}

async function fresh(source: HttpSource): Promise<DaemonState> {
	await source.refresh();
	return source.state();
}

async function page(source: HttpSource): Promise<Reply> {
	const state = await fresh(source);
	const newest = source.alerts.query({ limit: pageAlerts, policy: null, action: null });
	return pageReply(
		state,
		newest.map((line) => line.json),
	);
}

/** What an enforcer has at this path, or that nobody has anything. */
async function ownPage({ path, query, accept }: Request, source: HttpSource): Promise<Reply> {
	const routes = source.state().enforcers.flatMap((enforcer): readonly ReportRoute[] => enforcer.routes);
	const own = routes.find((route) => route.path === path);
	if (own !== undefined) return await own.reply(query, accept ?? "");
	const paths = [
		"/",
		...undetailed,
		"/v1/status",
		...routes.map((route) => route.path),
		generationsPath,
		"/v1/alerts",
	];
	return errorReply(404, "no such page", `there are ${paths.join(", ")} and /v1/alerts/stream`);
}

/** What clients are told: everything, or only what monitoring needs. */
export type Detail = "full" | "metrics-only";

/** Pages that hold no details, and those that are cut down to hold none. */
const undetailed: readonly string[] = ["/healthz", "/readyz", "/metrics"];

/** Answers a GET or HEAD of a client that may ask. */
export async function route(request: Request, source: HttpSource, detail: Detail): Promise<Answer> {
	if (detail === "metrics-only" && !undetailed.includes(request.path)) {
		return reply(
			errorReply(
				403,
				"only /healthz, /readyz and /metrics are served here",
				"on the host, as root, run portward page for a link to the status page, or portward status; status.detail: full lets every client read all",
			),
		);
	}
	switch (request.path) {
		case "/healthz":
			return reply(textReply(200, "ok"));
		case "/readyz":
			return reply(readiness(source, detail));
		case "/metrics":
			return reply({ status: 200, type: expositionType, body: await source.metrics() });
		case "/v1/status":
			return reply(await status(request.query, source));
		case generationsPath:
			return reply(generationsReply(source.state().generations));
		case "/v1/alerts":
			return reply(alerts(request.query, source));
		case "/v1/alerts/stream": {
			const asked = parseStream(request.query);
			return isReply(asked) ? reply(asked) : { kind: "stream", asked };
		}
		case "/":
			return reply(await page(source));
		default:
			return reply(await ownPage(request, source));
	}
}
