/** The picture of the policies as an answer of its own, and where the page shows it. Pure. */

import type { EnforcerState } from "../../../../report/contribution.ts";
import { type Html, html } from "../../../../report/page/html.ts";
import { sourceHash } from "../../../../report/page/page-assets.ts";
import { errorReply, type Reply } from "../../../../report/reply.ts";
import { graphStyle, graphTitle } from "./svg.ts";

/** An SVG, or why there is none. */
export type GraphDrawing =
	| { readonly ok: true; readonly svg: string }
	| { readonly ok: false; readonly message: string };

export const graphPath = "/v1/graph";

/** Its own style and nothing else, also where it is opened alone. */
const contentSecurityPolicy = `default-src 'none'; style-src ${sourceHash(graphStyle)}; frame-ancestors 'none'`;

export function graphReply(drawing: GraphDrawing): Reply {
	if (!drawing.ok)
		return errorReply(503, drawing.message, "portward graph on the host draws what is on disk");
	return {
		status: 200,
		type: "image/svg+xml; charset=utf-8",
		body: drawing.svg,
		headers: { "Content-Security-Policy": contentSecurityPolicy },
	};
}

/** What is closed is not asked for: browsers load it once the reader opens it, without a script. */
export function graphSection({ state }: EnforcerState): Html[] {
	if (state !== "active") return [];
	const what = "Zones of addresses, and what becomes of which services for each; opened alone it is text";
	return [
		html`<section><div class="title"><h2>${graphTitle}</h2><small>for the host's own packets; <a href="${graphPath}">open alone</a></small></div><details><summary>Draw it</summary><img src="${graphPath}" loading="lazy" alt="${what}"></details></section>`,
	];
}
