/** What stays out of recommended policies, and why, for people. */

import { escapeForTerminal } from "../../../../base/terminal.ts";
import { flowText } from "../flow-text.ts";
import { compareTexts } from "./candidate.ts";
import type { LeftOut, Recommendation } from "./model.ts";

export const reportFile = "recommend.report";

/** Flows that are told of one reason. */
const mostOfReason = 1000;

export function reportText({ included, leftOut, services }: Recommendation): string {
	const reasons = [...Map.groupBy(leftOut, ({ reason }) => reason)].sort(
		([a, x], [b, y]) => y.length - x.length || compareTexts(a, b),
	);
	const open = (["ingress", "egress"] as const).filter(
		(direction) => !services.some(({ service }) => service.direction === direction && !service.guests),
	);
	return [
		`What portward recommend left out: ${leftOut.length} of ${included.size + leftOut.length} flows.`,
		"To let one in, write Set before its candidate in recommend.states, and run recommend --update.",
		...open.map((direction) => `There is no Allow for ${direction}, so nothing of it is closed.`),
		...reasons.flatMap(([reason, flows]) => ["", reasonLine(reason, flows), ...flowLines(flows)]),
		"",
	]
		.map(escapeForTerminal)
		.join("\n");
}

function reasonLine(reason: string, flows: readonly LeftOut[]): string {
	return `${reason} (${flows.length === 1 ? "1 flow" : `${flows.length} flows`}):`;
}

function flowLines(flows: readonly LeftOut[]): string[] {
	const rest = flows.length - mostOfReason;
	return [
		...flows.slice(0, mostOfReason).map(({ flow }) => `  ${flowText(flow)}`),
		...(rest > 0 ? [`  and ${rest} more`] : []),
	];
}
