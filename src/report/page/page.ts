/** The status page: the facts of /v1/status and the newest alerts, readable without scripts. */

import type { Diagnostic } from "../../base/diagnostic.ts";
import { generationsPath, generationsSection } from "../generations/generations-page.ts";
import type { Reply } from "../reply.ts";
import { describeUnused, lastMatchText, unusedRules } from "../rule-use.ts";
import {
	type DaemonState,
	type PolicyCondition,
	type PolicyStatus,
	policyCondition,
	type StatusDocument,
	statusDocument,
	trafficOf,
} from "../status.ts";
import { alertRow } from "./alert-row.ts";
import { flowsPath, flowsSection } from "./flows-section.ts";
import { type Html, html, trusted } from "./html.ts";
import { contentSecurityPolicy, script, style } from "./page-assets.ts";
import { badge, describeStaged, formatBytes, numbers, shown, type Tone } from "./parts.ts";
import { sinksCard } from "./sinks-card.ts";

/** Policies listed; a host with more reads /v1/status. */
const maxPolicies = 500;
/** Diagnostics shown for one policy. */
const maxDiagnostics = 5;

const conditions: Readonly<Record<PolicyCondition, readonly [Tone, string]>> = {
	enforced: ["good", "enforced"],
	last_good: ["warn", "last good version"],
	invalid: ["bad", "invalid"],
	not_selected: ["idle", "not for this host"],
	refused: ["bad", "not enforced"],
	staged: ["warn", "staged"],
};

const actionTones: Readonly<Record<string, Tone>> = {
	Allow: "good",
	Audit: "warn",
	"Audit (Block)": "warn",
	Block: "bad",
};

function actionBadge(action: string): Html {
	return badge(Object.hasOwn(actionTones, action) ? (actionTones[action] ?? "idle") : "idle", shown(action));
}

function cards({ confinement, enforcers, policies, sinks }: DaemonState): Html {
	const host = { confinement, policies: policies.length };
	const all = [...enforcers.flatMap((enforcer) => enforcer.cards(host)), ...sinksCard(sinks, Date.now())];
	return html`<div class="cards">${all}</div>`;
}

function panic({ panic }: StatusDocument): Html {
	if (panic === null) return html``;
	return html`<section class="warnings"><div class="title"><h2>${badge("bad", "open")} No network policy is enforced</h2></div><ul><li>panic-open since ${shown(panic.since)}: ${shown(panic.reason)}</li></ul></section>`;
}

function pending({ pending }: StatusDocument): Html {
	if (pending === null) return html``;
	const { id, from, secondsLeft, waiting } = pending;
	return html`<section class="warnings"><div class="title"><h2>${badge("bad", "pending")} Policies that are not confirmed</h2></div><ul><li>Change ${shown(id)} (${shown(from)}) rolls back in ${numbers.format(secondsLeft)} s unless it is confirmed</li>${waiting ? html`<li>A change of the policy directory waits for that</li>` : html``}</ul></section>`;
}

function warnings(status: StatusDocument): Html {
	if (status.warnings.length === 0) return html``;
	const items = status.warnings.map((text) => html`<li>${shown(text)}</li>`);
	return html`<section class="warnings"><div class="title"><h2>Warnings</h2></div><ul>${items}</ul></section>`;
}

function diagnosticItem(diagnostic: Diagnostic): Html {
	const { severity, message, hint, line } = diagnostic;
	return html`<li>${badge(severity === "error" ? "bad" : "warn", severity)} ${shown(message)}${hint === "" ? "" : `: ${shown(hint)}`} <code class="place">line ${line} ${shown(diagnostic.path)}</code></li>`;
}

/** Groups of rules of one policy that match nothing. */
const maxUnused = 3;

/** When its rules last matched, and which match nothing. */
function useCell({ rules }: PolicyStatus, now: number): Html {
	if (rules === null || rules.length === 0) return html`–`;
	const unused = unusedRules(rules, now).slice(0, maxUnused);
	const list = unused.map((group) => html`<li>${describeUnused(group)}</li>`);
	return html`${lastMatchText(rules, now) ?? "never yet"}${list.length === 0 ? html`` : html`<ul>${list}</ul>`}`;
}

function policyRow(policy: PolicyStatus, counted: boolean, now: number): Html {
	const [tone, text] = conditions[policyCondition(policy)];
	const { diagnostics } = policy;
	const more = diagnostics.length - maxDiagnostics;
	const items = diagnostics.slice(0, maxDiagnostics).map(diagnosticItem);
	if (more > 0) items.push(html`<li>and ${more} more</li>`);
	if (policy.staged !== null) items.unshift(html`<li>${describeStaged(policy.staged)}</li>`);
	const list = items.length === 0 ? [] : [html`<ul>${items}</ul>`];
	return html`<tr>
<td class="name" data-label="Policy"><strong>${shown(policy.name)}</strong><code class="place">${shown(policy.file)}:${policy.line}</code>${list}</td>
<td data-label="State">${badge(tone, text)}</td>
<td data-label="Action">${policy.action === null ? "–" : actionBadge(policy.action)}</td>
<td class="number" data-label="Packets">${counted ? numbers.format(policy.packets) : "–"}</td>
<td class="number" data-label="Bytes">${counted ? formatBytes(policy.bytes) : "–"}</td>
<td data-label="Last match">${useCell(policy, now)}</td>
</tr>
`;
}

function policies(status: StatusDocument, { enforcers, policies: all }: DaemonState): Html {
	const now = Date.now();
	const rows = status.policies.map((policy) => policyRow(policy, trafficOf(policy, enforcers) !== null, now));
	const rest = all.length - rows.length;
	const body =
		rows.length === 0
			? html`<p class="empty">No policies in the policy directory.</p>`
			: html`<div class="scroll" tabindex="0" role="region" aria-label="Policies"><table><thead><tr><th>Policy</th><th>State</th><th>Action</th><th class="number">Packets</th><th class="number">Bytes</th><th>Last match</th></tr></thead><tbody>${rows}</tbody></table></div>`;
	const note = rest > 0 ? html`<p class="empty">${numbers.format(rest)} more in /v1/status.</p>` : html``;
	return html`<section><div class="title"><h2>Policies</h2></div>${body}${note}</section>`;
}

function alertItem(json: string): Html {
	const { time, action, sentence, note } = alertRow(json);
	return html`<tr><td class="tight" data-label="Time">${time}</td><td data-label="Action">${actionBadge(action)}</td><td class="text" data-label="What happened">${sentence}</td><td class="name" data-label="Message">${note}</td></tr>
`;
}

function alertTable(alerts: readonly string[]): Html {
	const hidden = trusted(alerts.length === 0 ? " hidden" : "");
	const none = alerts.length === 0 ? html`<p class="empty" id="none">None yet.</p>` : html``;
	return html`<section><div class="title"><h2>Newest alerts</h2><span class="badge idle" id="live">reload to update</span><small>times in UTC</small></div>${none}<div class="scroll" tabindex="0" role="region" aria-label="Newest alerts"><table id="alert-table"${hidden}><thead><tr><th>Time</th><th>Action</th><th>What happened</th><th>Message</th></tr></thead><tbody id="alerts">${alerts.map(alertItem)}</tbody></table></div><div role="status"><button type="button" id="fresh" hidden></button></div></section>`;
}

/** The word as a badge, and what else there is to say without it. */
function readyText({ ready, body }: StatusDocument["ready"]): Html {
	const word = ready ? "ready" : "not ready";
	const rest = body.startsWith(word) ? body.slice(word.length).replace(/^[:;,]? */u, "") : body;
	return html`${badge(ready ? "good" : "bad", word)} ${shown(rest)}`;
}

/** The page for `state`, and the newest alerts, each as its JSON line, newest first. */
export function renderPage(state: DaemonState, alerts: readonly string[]): string {
	const status = statusDocument(state, { offset: 0, limit: maxPolicies });
	const { ready, hostname, version } = status;
	const sections = state.enforcers.flatMap((enforcer) => enforcer.sections());
	const own = state.enforcers.flatMap(({ routes }) => routes.map(({ path }) => path));
	const links = ["/v1/status", ...own, generationsPath, "/v1/alerts", "/metrics"];
	const list = links.map((path, index) => html`${index === 0 ? "" : ", "}<a href="${path}">${path}</a>`);
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Portward on ${shown(hostname)}</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
<header><h1>Portward</h1><span class="host">${shown(hostname)} · ${shown(version)}</span><span class="ready">${readyText(ready)}</span></header>
<main>
${panic(status)}
${pending(status)}
${cards(state)}
${warnings(status)}
${policies(status, state)}
${sections}
${own.includes(flowsPath) ? flowsSection() : html``}
${generationsSection(state.generations)}
${alertTable(alerts)}
</main>
<footer>The same facts for programs: ${list}</footer>
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

export function pageReply(state: DaemonState, alerts: readonly string[]): Reply {
	return {
		status: 200,
		type: "text/html; charset=utf-8",
		body: renderPage(state, alerts),
		headers: { "Content-Security-Policy": contentSecurityPolicy },
	};
}
