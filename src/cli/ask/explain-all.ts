/** `portward explain --all`: what becomes of every port of one remote address. */

import { type Address, formatAddress } from "../../base/cidr.ts";
import { rangeText } from "../../base/port-range.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { NetworkModel } from "../../enforcers/network/compile/program.ts";
import { allowBehind } from "../../enforcers/network/compile/verdict/explain.ts";
import {
	type PortVerdict,
	verdictsByPort,
} from "../../enforcers/network/compile/verdict/verdicts-by-port.ts";
import { prettyJson } from "../json.ts";
import { ruleName } from "./explain-text.ts";

/** The whole answer, as text or as JSON. @param networkInterface null for every one that rules tell apart */
export function explainAll(
	model: NetworkModel,
	remote: Address,
	networkInterface: string | null,
	json: boolean,
): string {
	const verdicts = verdictsByPort(model, remote, networkInterface);
	const address = formatAddress(remote.family, remote.value);
	if (json) return prettyJson({ address, verdicts: verdicts.map(verdictJson) });
	const sides = (["ingress", "egress"] as const).flatMap((direction) => {
		const own = verdicts.filter((verdict) => verdict.direction === direction);
		const cells = own.map((verdict) => [
			verdict.protocol,
			portsText(verdict),
			verdict.interface === null ? "" : `on ${verdict.interface}`,
			verdict.action,
			reasonText(model, verdict),
		]);
		const way = direction === "ingress" ? "from" : "to";
		return [`${direction} ${way} ${address}`, ...aligned(cells).map((line) => `  ${line}`)];
	});
	return `${sides.map(escapeForTerminal).join("\n")}\n`;
}

function verdictJson({ rule, ...verdict }: PortVerdict) {
	return {
		...verdict,
		...(rule?.wouldBe === undefined ? {} : { wouldBe: rule.wouldBe }),
		policy: rule?.policy ?? null,
		rule: rule === null || rule.index < 0 ? null : rule.index,
		file: rule?.place?.file ?? null,
		line: rule?.place?.line ?? null,
	};
}

function portsText({ ports, sourcePorts, icmpTypes }: PortVerdict): string {
	const range = ([first, last]: readonly [number, number]) => rangeText({ first, last });
	const parts = [
		...(ports === null ? [] : [range(ports)]),
		...(sourcePorts === undefined ? [] : [`from port ${range(sourcePorts)}`]),
		...(icmpTypes === undefined ? [] : [`type ${range(icmpTypes)}`]),
	];
	return parts.join(" ");
}

function reasonText(model: NetworkModel, { rule }: PortVerdict): string {
	if (rule === null) return "no rule matches";
	const allow = allowBehind(model, rule);
	return allow === null ? ruleName(rule) : `${ruleName(rule)}, as ${ruleName(allow)} is an Allow`;
}

/** Lines of columns; one that is empty everywhere takes no room. */
function aligned(rows: readonly (readonly string[])[]): string[] {
	const columns = rows[0]?.length ?? 0;
	const widths = Array.from({ length: columns }, (_, i) =>
		Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)),
	);
	return rows.map((row) =>
		row
			.flatMap((cell, i) => (widths[i] === 0 ? [] : [i === columns - 1 ? cell : cell.padEnd(widths[i] ?? 0)]))
			.join("  "),
	);
}
