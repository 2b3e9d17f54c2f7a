/** The status page: the facts of /v1/status and the newest alerts, readable without scripts. */

import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Direction } from "../../base/model.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { describeFailsafe } from "../../enforcers/network/compile/failsafe.ts";
import {
	decidingChains,
	describeChain,
	type ForeignChain,
} from "../../enforcers/network/observe/foreign-chains.ts";
import { usbSection } from "../../enforcers/usb/report/device-page.ts";
import type { DeviceStatus } from "../../enforcers/usb/report/device-status.ts";
import { readableData } from "../alert.ts";
import { describeConfinement } from "../confinement.ts";
import type { Reply } from "../reply.ts";
import {
	type EnforcerState,
	type PolicyCondition,
	type PolicyStatus,
	policyCondition,
	type StatusDocument,
} from "../status.ts";
import { type Html, html, trusted } from "./html.ts";
import { contentSecurityPolicy, script, style } from "./page-assets.ts";

/** Policies listed; a host with more reads /v1/status. */
const maxPolicies = 500;
/** Diagnostics shown for one policy. */
const maxDiagnostics = 5;

type Tone = "good" | "warn" | "bad" | "idle";

function badge(tone: Tone, text: string): Html {
	return html`<span class="badge ${tone}">${text}</span>`;
}

/** Bidi and control characters written out, so that a name cannot pass for another. */
function shown(text: string): string {
	return escapeForTerminal(text);
}

const enforcerTones: Readonly<Record<EnforcerState["state"], Tone>> = {
	active: "good",
	disabled: "idle",
	unavailable: "bad",
	open: "bad",
};

const conditions: Readonly<Record<PolicyCondition, readonly [Tone, string]>> = {
	enforced: ["good", "enforced"],
	last_good: ["warn", "last good version"],
	invalid: ["bad", "invalid"],
	not_selected: ["idle", "not for this host"],
	refused: ["bad", "not enforced"],
};

const actionTones: Readonly<Record<string, Tone>> = { Allow: "good", Audit: "warn", Block: "bad" };

function actionBadge(action: string): Html {
	return badge(Object.hasOwn(actionTones, action) ? (actionTones[action] ?? "idle") : "idle", shown(action));
}

const numbers = new Intl.NumberFormat("en-US");
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function formatBytes(bytes: number): string {
	let value = bytes;
	let unit = 0;
	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit++;
	}
	return `${unit === 0 ? numbers.format(value) : value.toFixed(1)} ${units[unit]}`;
}

function facts(pairs: readonly (readonly [string, string])[]): Html {
	return html`<dl>${pairs.map(([term, text]) => html`<dt>${term}</dt><dd>${text}</dd>`)}</dl>`;
}

function enforcerCard(title: string, enforcer: EnforcerState, details: readonly Html[]): Html {
	const reason = enforcer.reason === "" ? [] : [html`<p>${shown(enforcer.reason)}</p>`];
	return html`<section><h2>${title} ${badge(enforcerTones[enforcer.state], enforcer.state)}</h2>${reason}${details}</section>`;
}

function directionMode(allowlist: boolean, posture: string): string {
	return allowlist
		? `allowlist: unmatched is ${posture === "block" ? "blocked" : "audited"}`
		: "unmatched is accepted";
}

function cards(status: StatusDocument): Html {
	const { network, usb } = status.enforcers;
	const mode = facts([
		["Ingress", directionMode(network.allowlistMode.ingress, network.posture)],
		["Egress", directionMode(network.allowlistMode.egress, network.posture)],
		["Default of allow-lists", network.posture === "block" ? "is blocked" : "is let pass and reported"],
		["Packets that belong to no flow", describeInvalid(network.invalidPackets)],
		["Essentials (DHCP, ICMP errors …)", network.essentials ? "always accepted" : "left to the policies"],
		["Failsafe: never refused", network.failsafe.map(describeFailsafe).join("; ") || "none"],
		["Others that decide on ingress", describeOthers(network.otherChains, "ingress")],
		["Others that decide on egress", describeOthers(network.otherChains, "egress")],
	]);
	const ruleset = facts([
		["Put in force", `${numbers.format(network.generation)} times since the start`],
		["Size", `${numbers.format(network.elements)} entries in the kernel`],
		["Changes by others, undone", numbers.format(status.drift)],
		["The daemon", shown(describeConfinement(status.confinement))],
		["Policies", numbers.format(status.policies.length)],
	]);
	const lock = facts([
		["New devices", usb.locked ? "refused until judged" : "authorized by the kernel"],
		["Mode", directionMode(usb.allowlistMode, usb.posture)],
		["Events", usb.backend ?? "none"],
	]);
	return html`<div class="cards">${enforcerCard("Network", network, [mode])}<section><h2>Ruleset</h2>${ruleset}</section>${enforcerCard("USB", usb, usb.state === "active" ? [lock] : [])}</div>`;
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

function policyRow(policy: PolicyStatus): Html {
	const [tone, text] = conditions[policyCondition(policy)];
	const { diagnostics } = policy;
	const more = diagnostics.length - maxDiagnostics;
	const items = diagnostics.slice(0, maxDiagnostics).map(diagnosticItem);
	if (more > 0) items.push(html`<li>and ${more} more</li>`);
	const list = items.length === 0 ? [] : [html`<ul>${items}</ul>`];
	// Device policies meet no packets.
	const counted = policy.kind !== "KubeArmorHostPolicy";
	return html`<tr>
<td class="name" data-label="Policy"><strong>${shown(policy.name)}</strong><code class="place">${shown(policy.file)}:${policy.line}</code>${list}</td>
<td data-label="State">${badge(tone, text)}</td>
<td data-label="Action">${policy.action === null ? "–" : actionBadge(policy.action)}</td>
<td class="number" data-label="Packets">${counted ? numbers.format(policy.packets) : "–"}</td>
<td class="number" data-label="Bytes">${counted ? formatBytes(policy.bytes) : "–"}</td>
</tr>
`;
}

function policies(status: StatusDocument): Html {
	const rows = status.policies.slice(0, maxPolicies).map(policyRow);
	const rest = status.policies.length - rows.length;
	const body =
		rows.length === 0
			? html`<p class="empty">No policies in the policy directory.</p>`
			: html`<div class="scroll" tabindex="0" role="region" aria-label="Policies"><table><thead><tr><th>Policy</th><th>State</th><th>Action</th><th class="number">Packets</th><th class="number">Bytes</th></tr></thead><tbody>${rows}</tbody></table></div>`;
	const note = rest > 0 ? html`<p class="empty">${numbers.format(rest)} more in /v1/status.</p>` : html``;
	return html`<section><div class="title"><h2>Policies</h2></div>${body}${note}</section>`;
}

/** A field of an alert's JSON as text; "" when it is not there. */
function field(alert: unknown, name: string): string {
	if (typeof alert !== "object" || alert === null) return "";
	const value: unknown = Object.getOwnPropertyDescriptor(alert, name)?.value;
	return typeof value === "string" ? shown(value) : "";
}

function alertRow(json: string): Html {
	const alert: unknown = JSON.parse(json);
	const time = field(alert, "UpdatedTime").slice(0, 23).replace("T", " ");
	const data = readableData(field(alert, "Data"));
	return html`<tr><td class="tight" data-label="Time">${time}</td><td data-label="Action">${actionBadge(field(alert, "Action"))}</td><td class="name" data-label="Policy">${field(alert, "PolicyName") || field(alert, "Type")}</td><td class="tight" data-label="Resource">${field(alert, "Resource")}</td><td class="data" data-label="Data">${data}</td><td class="text" data-label="Message">${field(alert, "Message")}</td></tr>
`;
}

function alertTable(alerts: readonly string[]): Html {
	const hidden = trusted(alerts.length === 0 ? " hidden" : "");
	const none = alerts.length === 0 ? html`<p class="empty" id="none">None yet.</p>` : html``;
	return html`<section><div class="title"><h2>Newest alerts</h2><span class="badge idle" id="live">reload to update</span><small>times in UTC</small></div>${none}<div class="scroll" tabindex="0" role="region" aria-label="Newest alerts"><table id="alert-table"${hidden}><thead><tr><th>Time</th><th>Action</th><th>Policy</th><th>Resource</th><th>Data</th><th>Message</th></tr></thead><tbody id="alerts">${alerts.map(alertRow)}</tbody></table></div></section>`;
}

/** The word as a badge, and what else there is to say without it. */
function readyText({ ready, body }: StatusDocument["ready"]): Html {
	const word = ready ? "ready" : "not ready";
	const rest = body.startsWith(word) ? body.slice(word.length).replace(/^[:;,]? */u, "") : body;
	return html`${badge(ready ? "good" : "bad", word)} ${shown(rest)}`;
}

/** The page for `status`, the USB devices, and the newest alerts, each as its JSON line, newest first. */
export function renderPage(
	status: StatusDocument,
	devices: readonly DeviceStatus[],
	alerts: readonly string[],
): string {
	const { ready, hostname, version } = status;
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
${cards(status)}
${warnings(status)}
${policies(status)}
${usbSection(devices)}
${alertTable(alerts)}
</main>
<footer>The same facts for programs: <a href="/v1/status">/v1/status</a>, <a href="/v1/usb/devices">/v1/usb/devices</a>, <a href="/v1/alerts">/v1/alerts</a>, <a href="/metrics">/metrics</a></footer>
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

export function pageReply(
	status: StatusDocument,
	devices: readonly DeviceStatus[],
	alerts: readonly string[],
): Reply {
	return {
		status: 200,
		type: "text/html; charset=utf-8",
		body: renderPage(status, devices, alerts),
		headers: { "Content-Security-Policy": contentSecurityPolicy },
	};
}

function describeInvalid({ ingress, egress }: Readonly<Record<Direction, number>>): string {
	return `${numbers.format(ingress)} ingress, ${numbers.format(egress)} egress`;
}

function describeOthers(chains: readonly ForeignChain[], direction: Direction): string {
	return escapeForTerminal(decidingChains(chains, direction).map(describeChain).join("; ")) || "no others";
}
