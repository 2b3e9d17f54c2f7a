/** One element of `ingress` or `egress`: peers, interfaces, ports and overrides. */

import type { Node } from "yaml";
import type { Action, Direction, InterfaceMatch } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { quote } from "../../../base/suggest.ts";
import { presentList } from "../../../document/empty.ts";
import { parseInterface } from "../../../document/iface.ts";
import { type Item, isEmptyNode, type NodeReader, type Remedies } from "../../../document/nodes.ts";
import { type RuleDefaults, readDefaults } from "../../../document/rule-defaults.ts";
import type { AppliesTo, NetworkRule, PortMatch } from "../model.ts";
import { readLimits } from "./limits.ts";
import { readPeers } from "./peers.ts";
import { readPortEntry, warnOfFamilies } from "./port-entry.ts";
import { quotaFields, readQuota, refuseUncounted } from "./quota.ts";
import { readSender, senderFields, senderRemedies } from "./sender.ts";

const limitFields = ["rateLimit", "connectionLimit", "exceedAction"] as const;

export const ruleFields = {
	ingress: [
		"from",
		"iface",
		"ports",
		...quotaFields,
		...limitFields,
		"action",
		"severity",
		"tags",
		"message",
	],
	egress: [
		"to",
		"iface",
		"ports",
		...senderFields,
		...quotaFields,
		...limitFields,
		"action",
		"severity",
		"tags",
		"message",
	],
} as const;

const levelRemedy = {
	code: "level-in-rule",
	message: "level belongs into spec, and says how pods share a quota",
	hint: "leave it out: all of a host shares one quota",
};

const directionRemedies: Record<Direction, Remedies> = {
	ingress: {
		level: levelRemedy,
		...senderRemedies.ingress,
		to: {
			code: "wrong-direction",
			message: "an ingress rule has no to: the destination is this host",
			hint: "write from for the source, or move the rule to egress",
		},
	},
	egress: {
		level: levelRemedy,
		...senderRemedies.egress,
		from: {
			code: "wrong-direction",
			message: "an egress rule has no from: the source is this host",
			hint: "write to for the destination, or move the rule to ingress",
		},
	},
};

/** Reads one rule. Whatever is wrong is reported; the result counts only while nothing was. */
export function readRule(
	reader: NodeReader,
	{ node, path, index }: Item,
	direction: Direction,
	policy: RuleDefaults,
	appliesTo: AppliesTo,
): NetworkRule | null {
	if (isEmptyNode(node)) {
		reader.error(
			node,
			path,
			"empty-rule",
			"the rule is empty",
			`write - {} to match all ${direction} traffic`,
		);
		return null;
	}
	const fields = reader.fields(node, path, ruleFields[direction], directionRemedies[direction]);
	if (fields === null) return null;
	const own = readDefaults(reader, fields, policy);
	const peers = presentList(reader, fields, direction === "ingress" ? "from" : "to", own.action);
	const iface = presentList(reader, fields, "iface", own.action);
	const ports = presentList(reader, fields, "ports", own.action);
	const quota = readQuota(reader, fields);
	const sender = direction === "egress" ? readSender(reader, fields, own.action, appliesTo) : null;
	const rule: NetworkRule = {
		index,
		place: reader.place(node),
		...own,
		...(peers ? readPeers(reader, peers.node, peers.path) : { peers: [] }),
		interfaces: iface ? readInterfaces(reader, iface.node, iface.path) : [],
		ports: ports ? readPorts(reader, ports.node, ports.path, own.action) : [],
		...(sender === null ? {} : { sender }),
		...readLimits(reader, fields, own.action),
		...(quota === null ? {} : { quota }),
	};
	warnOfFamilies(reader, rule, path);
	refuseUncounted(reader, rule, node, path);
	return rule;
}

function readInterfaces(reader: NodeReader, node: Node, path: Path): InterfaceMatch[] {
	const matches: InterfaceMatch[] = [];
	let any = false;
	for (const { node: item, path: at } of reader.items(node, path, '["eth0"]')) {
		const text = reader.text(item, at);
		if (text === null) continue;
		const result = parseInterface(text);
		if (!result.ok) {
			reader.error(item, at, "bad-iface", `${quote(text)}: ${result.message}`, result.hint);
		} else if (result.match === "any") any = true;
		else {
			if (text === "lo") {
				const message = "loopback traffic is always accepted, so this never decides";
				reader.warn(item, at, "loopback", message, "leave lo out");
			}
			matches.push(result.match);
		}
	}
	return any ? [] : matches;
}

function readPorts(reader: NodeReader, node: Node, path: Path, action: Action): PortMatch[] {
	const ports: PortMatch[] = [];
	for (const item of reader.items(node, path, "[{protocol: TCP, port: 443}]")) {
		const port = readPortEntry(reader, item, action);
		if (port !== null) ports.push(port);
	}
	return ports;
}
