/** The picture of the policies that were compiled last, as far as it holds up the thread that compiles for no more than a moment. */

import type { NetworkModel } from "../../compile/program.ts";
import { zonesOf } from "../../compile/verdict/zones.ts";
import type { GraphDrawing } from "../../report/graph/graph-page.ts";
import { graphTitle, svg } from "../../report/graph/svg.ts";

/** About a second where every one is told apart from every other. */
const mostAtoms = 2000;

export function drawGraph(model: NetworkModel): GraphDrawing {
	if (model.ingress.atoms.length + model.egress.atoms.length > mostAtoms)
		return {
			ok: false,
			message: "the policies are too many to be drawn for the page; portward graph draws them",
		};
	const found = zonesOf(model);
	return found.ok ? { ok: true, svg: svg(found.zones, graphTitle) } : found;
}
