/** The card of sinks on the status page: where alerts go, what waits, and what never arrived. Pure. */

import { spanText } from "../rule-use.ts";
import { droppedOf, type SinkState } from "../sink-status.ts";
import { type Html, html } from "./html.ts";
import { badge, formatBytes, numbers, shown, type Tone } from "./parts.ts";

const tones: Readonly<Record<SinkState["state"], Tone>> = { idle: "good", sending: "good", failing: "bad" };
const words: Readonly<Record<SinkState["state"], string>> = {
	idle: "all sent",
	sending: "sending",
	failing: "failing",
};

/** None where the settings name no sink. @param now milliseconds since the epoch */
export function sinksCard(sinks: readonly SinkState[], now: number): readonly Html[] {
	if (sinks.length === 0) return [];
	const items = sinks.map((sink) => sinkItem(sink, now));
	return [html`<section id="sinks"><h2>Sinks</h2><dl>${items}</dl></section>`];
}

function sinkItem(sink: SinkState, now: number): Html {
	const { name, type, state, error, diskError, queued, queuedBytes, lastSuccess } = sink;
	const dropped = droppedOf(sink);
	const waits =
		queued === 0 ? "nothing waits" : `${numbers.format(queued)} waiting (${formatBytes(queuedBytes)})`;
	const lost = dropped === 0 ? [] : [`${numbers.format(dropped)} lost`];
	const last = lastSuccess === null ? "none sent yet" : `last sent ${spanText(now - lastSuccess)} ago`;
	const why = [...(state === "failing" ? [error] : []), ...(diskError === "" ? [] : [`disk: ${diskError}`])];
	const told = why.map((text) => html` <span class="place">${shown(text)}</span>`);
	return html`<dt>${shown(name)} <span class="place">${type}</span></dt><dd>${badge(tones[state], words[state])} ${[waits, ...lost, last].join(", ")}${told}</dd>`;
}
