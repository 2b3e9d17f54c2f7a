/** How network policies are told, rule by rule. */

import { formatCidr } from "../../../base/cidr.ts";
import type { Action, Direction } from "../../../base/model.ts";
import type {
	Conditions,
	Default,
	Described,
	Description,
	Telling,
	Unmatched,
} from "../../contract/describe.ts";
import { limitText } from "../limit-words.ts";
import { blockText, type GroupUse, type NetworkPolicy, type NetworkRule, type RuleLimits } from "../model.ts";
import { interfaceKey, sourceOf } from "./atom.ts";
import { portsLabel } from "./lint/ports-label.ts";
import type { NetworkModel } from "./program.ts";

/** Characters of a group's digest that are told. */
const shownDigest = 8;

export const networkTelling: Telling = {
	key: "rules",
	heading: "Rules",
	packets: true,
	lists: [
		{ name: "ingress", field: "ingress", label: "ingress" },
		{ name: "egress", field: "egress", label: "egress" },
	],
};

export function describeNetwork(policies: readonly NetworkPolicy[], model: NetworkModel): Description {
	return {
		rules: policies.flatMap(describeRules),
		defaults: { ingress: networkDefault(model, "ingress"), egress: networkDefault(model, "egress") },
	};
}

const unmatched: Readonly<Record<Action, Unmatched>> = { Allow: "accept", Audit: "audit", Block: "block" };

function networkDefault(model: NetworkModel, direction: Direction): Default {
	const { allowlistMode, posture } = model[direction];
	return { allowlistMode, unmatched: unmatched[posture?.action ?? "Allow"] };
}

function describeRules(policy: NetworkPolicy): Described[] {
	return (["ingress", "egress"] as const).flatMap((direction) =>
		policy[direction].map(
			(rule): Described => ({
				policy: policy.name,
				direction,
				index: rule.index,
				action: rule.action,
				severity: rule.severity,
				tags: rule.tags,
				message: rule.message,
				place: rule.place,
				conditions: ruleConditions(rule, direction),
			}),
		),
	);
}

/** In the words of policies. */
export function quotaText({ quota }: Pick<NetworkRule, "quota">): string {
	return quota === undefined ? "" : `${quota.limit} in ${windowText(quota.seconds)}`;
}

const units = [
	["d", 86_400],
	["h", 3600],
	["m", 60],
	["s", 1],
] as const;

/** `1d12h` */
function windowText(seconds: number): string {
	let rest = seconds;
	return units
		.map(([unit, each]) => {
			const count = Math.floor(rest / each);
			rest -= count * each;
			return count === 0 ? "" : `${count}${unit}`;
		})
		.join("");
}

function ruleConditions(rule: NetworkRule, direction: Direction): Conditions {
	const { peers, groups, ports, interfaces, limits, quota, sender } = rule;
	const blocks = (groups?.own ?? peers).map((peer) => {
		const holes = unique(peer.except.map(formatCidr));
		return `${blockText(peer)}${holes.length === 0 ? "" : ` except ${holes.join(", ")}`}`;
	});
	return {
		[direction === "ingress" ? "from" : "to"]: unique([...blocks, ...(groups?.uses ?? []).map(groupText)]),
		ports: unique(ports.map((entry) => portsLabel(entry.protocol, entry.range, sourceOf(entry)))),
		iface: unique(interfaces.map(interfaceKey)),
		...(quota === undefined ? {} : { limit: [quotaText(rule)] }),
		...(limits === undefined ? {} : limitConditions(limits)),
		...senderConditions(sender),
	};
}

function limitConditions({ rate, connections, exceedAction }: RuleLimits): Conditions {
	return {
		rateLimit: rate === undefined ? [] : [limitText(rate)],
		connectionLimit: connections === undefined ? [] : [limitText(connections)],
		exceedAction: [exceedAction],
	};
}

function senderConditions(sender: NetworkRule["sender"]): Conditions {
	if (sender === undefined) return {};
	return {
		user: unique(sender.users.map(String)),
		group: unique(sender.groups.map(String)),
		service: unique(sender.services),
	};
}

/** A group of many thousands is not written out; the digest tells that its members are others. */
function groupText({ name, members }: GroupUse): string {
	if (members === null) return `group ${name}`;
	const { blocks, digest } = members;
	const size = blocks.length === 1 ? "1 block" : `${blocks.length} blocks`;
	return `group ${name} (${size}, ${digest.slice(0, shownDigest)})`;
}

function unique(texts: readonly string[]): string[] {
	return [...new Set(texts)].sort();
}
