/** Where the page shows the flows that were seen: its script reads them when the reader opens them. Pure. */

import { type Html, html } from "./html.ts";

export const flowsPath = "/v1/flows";

const options = (pairs: readonly (readonly [string, string])[]): Html[] =>
	pairs.map(([value, text]) => html`<option value="${value}">${text}</option>`);

const verdicts = [
	["", "every verdict"],
	["Allow", "Allow"],
	["Audit", "Audit"],
	["Block", "Block"],
] as const;
const groups = [
	["none", "each flow"],
	["remote", "by remote"],
	["port", "by service"],
	["policy", "by policy"],
	["prefix", "by prefix"],
] as const;
const orders = [
	["last", "newest first"],
	["count", "most often first"],
	["bytes", "most bytes first"],
	["name", "by name"],
] as const;

export function flowsSection(): Html {
	return html`<section><div class="title"><h2>Flows that were seen</h2><small>times in UTC; <a href="${flowsPath}">as JSON</a></small></div><details id="flows"><summary>Show them</summary>
<noscript><p class="empty">This list needs scripts; portward flows prints it.</p></noscript>
<form class="filter" role="search" aria-label="Flows"><label>Search <input id="flows-search" type="search" autocomplete="off" placeholder="address, port, interface, policy"></label>
<label>Verdict <select id="flows-verdict">${options(verdicts)}</select></label>
<label>Group <select id="flows-group">${options(groups)}</select></label>
<label>Order <select id="flows-order">${options(orders)}</select></label>
<label><input id="flows-new" type="checkbox"> new ones alone</label></form>
<p class="count"><span id="flows-said" role="status"></span> <span role="status"><button type="button" id="flows-renewed" hidden></button></span></p>
<div class="scroll" tabindex="0" role="region" aria-label="Flows that were seen"><table><thead><tr id="flows-head"></tr></thead><tbody id="flows-rows"></tbody></table></div>
<p class="count"><button type="button" id="flows-more" hidden></button></p></details></section>`;
}
