/** The history of the policies on the status page, and as an answer of its own. Pure. */

import type { Generation } from "../../base/generation.ts";
import { type Html, html } from "../page/html.ts";
import { badge, shown, type Tone } from "../page/parts.ts";
import { jsonReply, type Reply } from "../reply.ts";
import { confirmationLine, generationLines, generationTitle } from "./generation-text.ts";

export const generationsPath = "/v1/history";

export function generationsReply(generations: readonly Generation[]): Reply {
	return jsonReply(200, { generations });
}

/** Without a script: each change opens by itself. */
export function generationsSection(generations: readonly Generation[]): Html {
	const body =
		generations.length === 0
			? html`<p class="empty">No change yet.</p>`
			: html`<ol class="log">${generations.map(item)}</ol>`;
	return html`<section id="history"><div class="title"><h2>Changes of the policies</h2><small>newest first, times in UTC; <a href="${generationsPath}">as JSON</a></small></div>${body}</section>`;
}

function item(generation: Generation): Html {
	const { time, confirmation, rollbackOf } = generation;
	const [tone, word] = stateOf(generation);
	const said = confirmationLine(confirmation, rollbackOf);
	const lists = generationLines(generation).map(
		({ heading, lines }) =>
			html`<h3>${heading}</h3><ul>${lines.map((line) => html`<li>${shown(line)}</li>`)}</ul>`,
	);
	return html`<li><details><summary><span class="when">${time.slice(0, 19).replace("T", " ")}</span> ${badge(tone, word)} ${shown(generationTitle(generation))}</summary>${said === "" ? html`` : html`<p>${shown(said)}</p>`}${lists}<p class="place">generation ${generation.generation} of that start of the daemon</p></details></li>
`;
}

function stateOf({ confirmation, rollbackOf }: Generation): readonly [Tone, string] {
	if (rollbackOf !== null) return ["warn", "rollback"];
	switch (confirmation?.result) {
		case "pending":
			return ["bad", "pending"];
		case "rolled_back":
			return ["warn", "rolled back"];
		case "confirmed":
			return ["good", "confirmed"];
		default:
			return ["good", "in force"];
	}
}
