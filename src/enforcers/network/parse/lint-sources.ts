/** Entries of `from` and `to` whose addresses no packet of that direction ever bears. */

import { containsCidr, parseCidr } from "../../../base/cidr.ts";
import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Cidr, Direction } from "../../../base/model.ts";
import { blockText, type NetworkRule } from "../model.ts";

interface Special {
	readonly cidr: Cidr;
	readonly what: string;
	readonly kind: "group" | "loopback";
}

function special(text: string, what: string, kind: Special["kind"]): Special {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(`${text} is no block`);
	return { cidr: parsed.cidr, what, kind };
}

/** RFC 1112 and RFC 919, RFC 4291. */
const specials: readonly Special[] = [
	special("224.0.0.0/4", "multicast", "group"),
	special("255.255.255.255/32", "the broadcast address", "group"),
	special("ff00::/8", "multicast", "group"),
	special("127.0.0.0/8", "loopback", "loopback"),
	special("::1/128", "loopback", "loopback"),
];

const hints: Readonly<Record<Special["kind"], string>> = {
	group:
		"name the addresses of the senders, or leave from out: the group is the destination, which rules do not name",
	loopback: "remove the entry: loopback traffic is always accepted",
};

/** Warnings about the entries of one rule. */
export function lintSources(rule: NetworkRule, direction: Direction): Diagnostic[] {
	const ingress = direction === "ingress";
	const found = rule.peers.map(({ cidr }) =>
		specials.find((one) => (ingress || one.kind === "loopback") && containsCidr(one.cidr, cidr)),
	);
	const dead = found.every((one) => one !== undefined);
	return rule.peers.flatMap((peer, index) => {
		const { place } = peer;
		const match = found[index];
		if (match === undefined) return [];
		const allow =
			rule.action === "Allow"
				? `; yet, being an Allow, the rule makes ${direction} an allow-list, where what no rule allows is dropped`
				: "";
		const never = ingress
			? `is ${match.what} and never the source of a packet that is judged`
			: `is ${match.what}, which is accepted before any rule`;
		return [
			{
				...place,
				path: `spec.${direction}[${rule.index}].${ingress ? "from" : "to"}[${index}].ipBlock.cidr`,
				severity: "warning" as const,
				code: ingress ? "never-a-source" : "never-a-destination",
				message: `${blockText(peer)} ${never}, so the ${dead ? "rule" : "entry"} never matches${allow}`,
				hint: hints[match.kind],
			},
		];
	});
}
