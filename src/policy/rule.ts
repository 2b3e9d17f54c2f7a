/** One element of `ingress` or `egress`: peers, interfaces, ports and overrides. */

import type { Node } from "yaml";
import { containsCidr, formatCidr, parseCidr } from "./cidr.ts";
import { parseInterface } from "./iface.ts";
import type {
	Action,
	Cidr,
	Direction,
	InterfaceMatch,
	IpBlock,
	NetworkRule,
	PortMatch,
	Transport,
} from "./model.ts";
import { type Fields, type Item, isEmptyNode, type NodeReader, type Remedies } from "./nodes.ts";
import type { Path } from "./path.ts";
import { readPort } from "./port.ts";
import { quote, suggest } from "./suggest.ts";

/** What a rule inherits from its policy when it does not say otherwise. */
export interface RuleDefaults {
	readonly action: Action;
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
}

const actions: Record<string, Action> = { allow: "Allow", audit: "Audit", block: "Block" };
const blockWords = new Set(["deny", "drop", "reject", "forbid", "refuse"]);

const quotaRemedy = {
	code: "quota-unsupported",
	message: "quotas (limit, duration, level) are not supported yet",
	hint: "remove it: a rule without its quota would match other traffic than you meant",
};

/** Quota fields are refused wherever they stand: ignoring them would turn a quota into a plain rule. */
export const quotaRemedies: Remedies = { limit: quotaRemedy, duration: quotaRemedy, level: quotaRemedy };

const podPeer = {
	code: "no-pods",
	message: "this host has no pods to select",
	hint: "write an address block: - ipBlock: {cidr: 10.0.1.0/24}",
};

const ruleFields: Record<Direction, readonly string[]> = {
	ingress: ["from", "iface", "ports", "action", "severity", "tags", "message"],
	egress: ["to", "iface", "ports", "action", "severity", "tags", "message"],
};

const directionRemedies: Record<Direction, Remedies> = {
	ingress: {
		...quotaRemedies,
		to: {
			code: "wrong-direction",
			message: "an ingress rule has no to: the destination is this host",
			hint: "write from for the source, or move the rule to egress",
		},
	},
	egress: {
		...quotaRemedies,
		from: {
			code: "wrong-direction",
			message: "an egress rule has no from: the source is this host",
			hint: "write to for the destination, or move the rule to ingress",
		},
	},
};

/** Reads action, severity, tags and message of a spec or a rule; absent ones come from `defaults`. */
export function readDefaults(reader: NodeReader, fields: Fields, defaults: RuleDefaults): RuleDefaults {
	const action = reader.present(fields, "action");
	const severity = reader.present(fields, "severity");
	const tags = reader.present(fields, "tags");
	const message = reader.present(fields, "message");
	return {
		action: (action && readAction(reader, action.node, action.path)) ?? defaults.action,
		severity: (severity && reader.integer(severity.node, severity.path, 1, 10)) ?? defaults.severity,
		tags: tags ? reader.texts(tags.node, tags.path, '["a", "b"]') : defaults.tags,
		message: (message && reader.text(message.node, message.path)) ?? defaults.message,
	};
}

function readAction(reader: NodeReader, node: Node, path: Path): Action | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const word = text.toLowerCase();
	const action = Object.hasOwn(actions, word) ? actions[word] : undefined;
	if (action !== undefined) return action;
	const hint = blockWords.has(word) ? "write Block" : suggest(text, Object.values(actions), "actions");
	reader.error(node, path, "bad-action", `${quote(text)} is not an action`, hint);
	return null;
}

/** Reads one rule. Whatever is wrong is reported; the result counts only while nothing was. */
export function readRule(
	reader: NodeReader,
	{ node, path, index }: Item,
	direction: Direction,
	policy: RuleDefaults,
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
	const peers = reader.present(fields, direction === "ingress" ? "from" : "to");
	const iface = reader.present(fields, "iface");
	const ports = reader.present(fields, "ports");
	return {
		index,
		place: reader.place(node),
		...readDefaults(reader, fields, policy),
		peers: peers ? readPeers(reader, peers.node, peers.path) : [],
		interfaces: iface ? readInterfaces(reader, iface.node, iface.path) : [],
		ports: ports ? readPorts(reader, ports.node, ports.path) : [],
	};
}

function readPeers(reader: NodeReader, node: Node, path: Path): IpBlock[] {
	const peers: IpBlock[] = [];
	for (const item of reader.items(node, path, "[{ipBlock: {cidr: 10.0.1.0/24}}]")) {
		const peer = readPeer(reader, item);
		if (peer !== null) peers.push(peer);
	}
	return peers;
}

const peerRemedies: Remedies = {
	podSelector: podPeer,
	namespaceSelector: podPeer,
	cidr: {
		code: "unknown-field",
		message: "cidr stands outside ipBlock",
		hint: "write - ipBlock: {cidr: 10.0.1.0/24}",
	},
};

function readPeer(reader: NodeReader, { node, path }: Item): IpBlock | null {
	const fields = reader.fields(node, path, ["ipBlock"], peerRemedies);
	if (fields === null) return null;
	const block = reader.present(fields, "ipBlock");
	if (block === null) {
		if (!reader.failed) {
			const hint = "write ipBlock: {cidr: 10.0.1.0/24}, or leave the whole list out to match any address";
			reader.error(node, path, "missing-field", "ipBlock is missing", hint);
		}
		return null;
	}
	const blockFields = reader.fields(block.node, block.path, ["cidr", "except"]);
	if (blockFields === null) return null;
	const cidrField = reader.present(blockFields, "cidr");
	if (cidrField === null) {
		reader.error(block.node, block.path, "missing-field", "cidr is missing", "write cidr: 10.0.1.0/24");
		return null;
	}
	const cidr = readCidr(reader, cidrField.node, cidrField.path);
	const exceptField = reader.present(blockFields, "except");
	const except = exceptField ? readExcept(reader, exceptField.node, exceptField.path, cidr) : [];
	return cidr && { cidr, except, place: reader.place(cidrField.node) };
}

function readCidr(reader: NodeReader, node: Node, path: Path): Cidr | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const result = parseCidr(text);
	if (!result.ok) {
		reader.error(node, path, "bad-cidr", result.message, result.hint);
		return null;
	}
	if (result.hostBits) {
		const block = formatCidr(result.cidr);
		reader.warn(
			node,
			path,
			"host-bits",
			`${text} has host bits set and is read as ${block}`,
			`write ${block}`,
		);
	}
	return result.cidr;
}

function readExcept(reader: NodeReader, node: Node, path: Path, cidr: Cidr | null): Cidr[] {
	const holes: Cidr[] = [];
	for (const { node: item, path: at } of reader.items(node, path, "[10.0.1.0/28]")) {
		const hole = readCidr(reader, item, at);
		if (hole === null || cidr === null) continue;
		if (!containsCidr(cidr, hole)) {
			const message = `${formatCidr(hole)} does not lie inside the block ${formatCidr(cidr)}`;
			reader.error(item, at, "except-outside", message, "an exception must be a part of its own cidr");
		} else if (hole.prefix === cidr.prefix) {
			const message = "the exception is the whole block, so this entry matches nothing";
			reader.warn(item, at, "matches-nothing", message, "remove the entry or narrow the exception");
		}
		holes.push(hole);
	}
	return holes;
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

const transports: Record<string, Transport> = { tcp: "tcp", udp: "udp", sctp: "sctp" };

function readPorts(reader: NodeReader, node: Node, path: Path): PortMatch[] {
	const ports: PortMatch[] = [];
	for (const { node: item, path: at } of reader.items(node, path, "[{protocol: TCP, port: 443}]")) {
		const fields = reader.fields(item, at, ["protocol", "port", "endPort"]);
		if (fields === null) continue;
		const protocolField = reader.present(fields, "protocol");
		const protocol = protocolField ? readProtocol(reader, protocolField.node, protocolField.path) : "tcp";
		const range = readPort(reader, fields, item, at, protocol);
		if (protocol !== null && range !== "failed") ports.push({ protocol, range, place: reader.place(item) });
	}
	return ports;
}

function readProtocol(reader: NodeReader, node: Node, path: Path): Transport | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const word = text.toLowerCase();
	const transport = Object.hasOwn(transports, word) ? transports[word] : undefined;
	if (transport !== undefined) return transport;
	const icmp = /^(icmp|icmpv6|any|all|\*)$/.test(word);
	const hint = icmp
		? "leave ports out to match every protocol"
		: suggest(text, ["TCP", "UDP", "SCTP"], "protocols");
	reader.error(node, path, "bad-protocol", `${quote(text)} is not TCP, UDP or SCTP`, hint);
	return null;
}
