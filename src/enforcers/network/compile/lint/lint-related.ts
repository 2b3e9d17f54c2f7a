/** What an Allow for FTP or TFTP does not let pass while policies judge packets that belong to another flow. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { Protocol } from "../../../../base/model.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";

/** Services whose data come and go by other ports, which helpers of connection tracking find out. */
const services: readonly { readonly protocol: Protocol; readonly port: number; readonly name: string }[] = [
	{ protocol: "tcp", port: 21, name: "FTP" },
	{ protocol: "udp", port: 69, name: "TFTP" },
];

/** Warnings for Allows of such a service's port alone, where some direction drops what no rule allows. */
export function lintRelated(model: NetworkModel, related: "policy" | "accept" | undefined): Diagnostic[] {
	const closed = model.ingress.allowlistMode || model.egress.allowlistMode;
	if (related === "accept" || !closed) return [];
	return [...lintDirection(model.ingress), ...lintDirection(model.egress)];
}

function lintDirection({ atoms, rules }: DirectionProgram): Diagnostic[] {
	const told = new Set<number>();
	return atoms.flatMap(({ rank, protocol, range }) => {
		const rule = rules[rank];
		const service = services.find(
			(one) => one.protocol === protocol && range?.first === one.port && range.last === one.port,
		);
		if (rule === undefined || rule.place === null || rule.action !== "Allow") return [];
		if (service === undefined || told.has(rank)) return [];
		told.add(rank);
		return [
			{
				...rule.place,
				path: `spec.${rule.direction}[${rule.index}]`,
				severity: "warning" as const,
				code: "related-by-policy",
				message: `this lets ${service.name}'s port pass, but not its data, which take other ports and are judged like any packet`,
				hint: "allow the ports that the server uses for data, or write related: accept in the settings and have a helper of connection tracking assigned",
			},
		];
	});
}
