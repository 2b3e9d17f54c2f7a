/** What the cards and tables of the status page are made of, whoever shows them. Pure. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { EnforcerState, StagedCount } from "../contribution.ts";
import { type Html, html } from "./html.ts";

export type Tone = "good" | "warn" | "bad" | "idle";

export function badge(tone: Tone, text: string): Html {
	return html`<span class="badge ${tone}">${text}</span>`;
}

/** Bidi and control characters written out, so that a name cannot pass for another. */
export function shown(text: string): string {
	return escapeForTerminal(text);
}

export const numbers = new Intl.NumberFormat("en-US");
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function formatBytes(bytes: number): string {
	let value = bytes;
	let unit = 0;
	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit++;
	}
	return `${unit === 0 ? numbers.format(value) : value.toFixed(1)} ${units[unit]}`;
}

export function facts(pairs: readonly (readonly [string, string])[]): Html {
	return html`<dl>${pairs.map(([term, text]) => html`<dt>${term}</dt><dd>${text}</dd>`)}</dl>`;
}

const enforcerTones: Readonly<Record<EnforcerState["state"], Tone>> = {
	active: "good",
	disabled: "idle",
	unavailable: "bad",
	open: "bad",
};

export function enforcerCard(title: string, enforcer: EnforcerState, details: readonly Html[]): Html {
	const reason = enforcer.reason === "" ? [] : [html`<p>${shown(enforcer.reason)}</p>`];
	return html`<section><h2>${title} ${badge(enforcerTones[enforcer.state], enforcer.state)}</h2>${reason}${details}</section>`;
}

/** How a staged policy fares, as a sentence. */
export function describeStaged({ evaluated, wouldBlock, sinceGeneration }: StagedCount): string {
	const times = evaluated === 1 ? "once" : `${numbers.format(evaluated)} times`;
	const would = `would block ${numbers.format(wouldBlock)}`;
	return `evaluated ${times} since generation ${numbers.format(sinceGeneration)}, ${would}`;
}

/** What becomes of what nothing matches. */
export function directionMode(allowlist: boolean, posture: string): string {
	return allowlist
		? `allowlist: unmatched is ${posture === "block" ? "blocked" : "audited"}`
		: "unmatched is accepted";
}
