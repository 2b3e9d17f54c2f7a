/** One entry of a rule's `ports`: a protocol with its ports, or its ICMP type. */

import { isScalar, isSeq, type Node } from "yaml";
import { isJudged, parseIcmpType } from "../../../base/icmp-type.ts";
import type { Action, PortRange, Protocol } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import {
	icmp,
	icmpv6,
	isIcmp,
	isTransport,
	parseProtocol,
	protocolFits,
	protocolLabel,
} from "../../../base/protocol.ts";
import { quote } from "../../../base/suggest.ts";
import { refuseEmptyConditions } from "../../../document/empty.ts";
import type { Fields, Item, NodeReader } from "../../../document/nodes.ts";
import type { NetworkRule, PortMatch } from "../model.ts";
import { portFields, readPorts, scalarText } from "./port.ts";
import { protocolHint } from "./port-hints.ts";
import { warnOfAssumedTcp } from "./udp-services.ts";

export const portEntryFields = [
	"protocol",
	"port",
	"endPort",
	"sourcePort",
	"sourceEndPort",
	"icmpType",
] as const;

/** The fields that only protocols with ports have. */
const withPorts = ["port", "endPort", "sourcePort", "sourceEndPort"] as const;

/** The fields without which an entry matches more. */
const conditions = ["port", "sourcePort", "icmpType"];

/** Null: something was reported. */
export function readPortEntry(reader: NodeReader, item: Item, action: Action): PortMatch | null {
	const { node, path } = item;
	const fields = reader.fields(node, path, portEntryFields);
	if (fields === null) return null;
	refuseEmptyConditions(reader, fields, conditions, action);
	const written = reader.present(fields, "protocol");
	if (written === null && fields.has("icmpType"))
		return refuseIcmpType(reader, fields, "TCP is taken where none is written");
	const protocol = written === null ? "tcp" : readProtocol(reader, written.node, written.path, fields);
	const place = reader.place(node);
	if (protocol !== null && !isTransport(protocol)) {
		if (refusePorts(reader, fields, protocol)) return null;
		const icmpType = readIcmpType(reader, fields, protocol);
		return icmpType === "failed" ? null : { protocol, range: null, source: null, icmpType, place };
	}
	const range = readPorts(reader, fields, portFields.destination, protocol);
	const source = readPorts(reader, fields, portFields.source, protocol);
	if (protocol !== null && fields.has("icmpType"))
		return refuseIcmpType(reader, fields, `the protocol is ${protocolLabel(protocol)}`);
	if (protocol === null || range === "failed" || source === "failed") return null;
	warnOfEveryPort(reader, fields, node, path, range ?? source);
	warnOfAssumedTcp(reader, item, range ?? source);
	return { protocol, range, source, icmpType: null, place };
}

function warnOfEveryPort(
	reader: NodeReader,
	fields: Fields,
	entry: Node,
	path: Path,
	range: PortRange | null,
): void {
	if (range !== null || fields.has("protocol") || reader.failed) return;
	const message = "an entry without protocol and port matches every TCP port and nothing else";
	reader.warn(entry, path, "any-tcp-port", message, "leave ports out to match every protocol");
}

function readProtocol(reader: NodeReader, node: Node, path: Path, fields: Fields): Protocol | null {
	const port = fields.get("port")?.node ?? null;
	const beside = port === null ? null : (scalarText(port) ?? "…");
	const text = scalarText(node);
	if (text === null) {
		const words = isSeq(node) ? node.items.map((item) => (isScalar(item) ? String(item.value) : "?")) : [];
		const hint = protocolHint(words.join(","), beside);
		reader.wrongType(node, path, "one protocol", node, words.length === 0 ? "write one such as TCP" : hint);
		return null;
	}
	const protocol = parseProtocol(text);
	if (protocol !== null) return protocol;
	const message = `${quote(text)} is not a protocol`;
	reader.error(node, path, "bad-protocol", message, protocolHint(text, beside));
	return null;
}

/** Whether a port was written for a protocol that has none, which is reported. */
function refusePorts(reader: NodeReader, fields: Fields, protocol: Exclude<Protocol, string>): boolean {
	const name = withPorts.find((field) => fields.has(field));
	const field = name === undefined ? undefined : fields.get(name);
	if (name === undefined || field === undefined) return false;
	const message = `${protocolLabel(protocol)} has no ports`;
	const type = isIcmp(protocol) && field.node !== null ? scalarText(field.node) : null;
	const meant = type !== null && /^\d{1,3}$/.test(type) ? `write icmpType: ${type}, or ` : "";
	reader.error(field.key, field.path, "no-ports", message, `${meant}leave ${name} out`);
	return true;
}

function refuseIcmpType(reader: NodeReader, fields: Fields, why: string): null {
	const field = fields.get("icmpType");
	const message = `icmpType belongs to ICMP and ICMPv6, and ${why}`;
	const hint = "write protocol: ICMP, or ICMPv6, or leave icmpType out";
	if (field !== undefined) reader.error(field.key, field.path, "icmp-type-alone", message, hint);
	return null;
}

/** Null: every type. "failed": something was reported. */
function readIcmpType(
	reader: NodeReader,
	fields: Fields,
	protocol: Exclude<Protocol, string>,
): number | null | "failed" {
	const field = reader.present(fields, "icmpType");
	if (field === null) return null;
	if (!isIcmp(protocol)) {
		refuseIcmpType(reader, fields, `this is ${protocolLabel(protocol)}`);
		return "failed";
	}
	const text = scalarText(field.node);
	if (text === null) {
		const hint = "write a number from 0 to 255, or a name such as echo-request; one entry for each type";
		reader.wrongType(field.node, field.path, "a type of ICMP", field.node, hint);
		return "failed";
	}
	const result = parseIcmpType(text, protocol);
	if (!result.ok) {
		reader.error(field.node, field.path, "bad-icmp-type", result.message, result.hint);
		return "failed";
	}
	if (!isJudged(protocol, result.type)) {
		const message = `${protocolLabel(protocol)} of type ${text} begins no flow: it passes with what it answers, and is invalid without`;
		const hint = "leave it out: rules decide about it only where the settings say invalidPackets: accept";
		reader.warn(field.node, field.path, "icmp-type-not-judged", message, hint);
	}
	return result.type;
}

/** Warns of entries whose protocol no packet of the rule's addresses can have. */
export function warnOfFamilies(reader: NodeReader, { peers, groups, ports }: NetworkRule, path: Path): void {
	if (peers.length === 0 || groups !== undefined) return;
	for (const { protocol, place } of ports) {
		if (peers.some(({ cidr }) => protocolFits(protocol, cidr.family))) continue;
		const family = protocolFits(protocol, 4) ? 4 : 6;
		const message = `only packets of IPv${family} have ${protocolLabel(protocol)}, and the rule's addresses are others`;
		const other =
			protocol === icmp ? "ICMPv6" : protocol === icmpv6 ? "ICMP" : "the protocol that follows it";
		const hint = `write ${other}, or addresses of IPv${family}`;
		reader.report("warning", place, { parent: path, key: "ports" }, "protocol-family", message, hint);
	}
}
