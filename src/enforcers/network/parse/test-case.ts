/** Reads one case about a packet of a PortwardTest document. */

import type { Node } from "yaml";
import { isScalar } from "yaml";
import { formatAddress, parseAddress } from "../../../base/cidr.ts";
import { echoRequest, parseIcmpType } from "../../../base/icmp-type.ts";
import { type Direction, directions, type Protocol } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import {
	isIcmp,
	isTransport,
	parseProtocol,
	protocolFits,
	protocolLabel,
	protocolText,
} from "../../../base/protocol.ts";
import { lookupService } from "../../../base/services.ts";
import { quote, suggest } from "../../../base/suggest.ts";
import { readAction } from "../../../document/action.ts";
import { parseInterface } from "../../../document/iface.ts";
import type { Fields, Item, NodeReader } from "../../../document/nodes.ts";
import type { PolicyTestCase } from "./test-model.ts";
import { caseSenderText, readCaseSender } from "./test-sender.ts";

export const caseFields = [
	"name",
	"direction",
	"protocol",
	"address",
	"port",
	"sourcePort",
	"icmpType",
	"interface",
	"guest",
	"user",
	"group",
	"service",
	"expect",
	"policy",
] as const;
/** Those that every case has. */
export const neededCaseFields = ["direction", "protocol", "address", "expect"] as const;

/** Null when anything in it is an error, all of which is reported. */
export function readPacketCase(reader: NodeReader, item: Item): PolicyTestCase | null {
	const fields = reader.fields(item.node, item.path, caseFields);
	if (fields === null) return null;
	const missing = neededCaseFields.find((field) => !fields.has(field));
	if (missing !== undefined) {
		reader.error(
			item.node,
			item.path,
			"missing-field",
			`${missing} is missing`,
			`write ${missing}: with its value`,
		);
		return null;
	}
	const direction = readDirection(reader, fields);
	const expected = reader.present(fields, "expect");
	const expect = expected && readAction(reader, expected.node, expected.path);
	const protocol = readProtocol(reader, fields);
	const remote = readAddress(reader, fields, "address");
	const guest = readAddress(reader, fields, "guest");
	const by = readCaseSender(reader, fields, { direction, guest: fields.has("guest") });
	const network = readInterface(reader, fields);
	const policy = optionalText(reader, fields, "policy");
	if (direction === null || expect === null || protocol === null || remote === null) return null;
	if (!protocolFits(protocol, remote.family)) {
		const message = `no rule is ever asked about ${protocolLabel(protocol)} in IPv${remote.family}`;
		reader.error(item.node, item.path, "bad-protocol", message, "write an address of the other family");
		return null;
	}
	if (guest !== null && guest.family !== remote.family) {
		const { node, path } = fields.get("guest") ?? item;
		const message = `the guest has an IPv${guest.family} address, and the other end an IPv${remote.family} address`;
		reader.error(
			node ?? item.node,
			path,
			"bad-address",
			message,
			"write the guest's address of the other family",
		);
		return null;
	}
	const ports = isTransport(protocol)
		? readPorts(reader, item, fields, protocol)
		: readType(reader, fields, protocol);
	if (ports === null) return null;
	const { port } = ports;
	const asked = [
		direction,
		protocolText(protocol),
		isTransport(protocol) ? port : null,
		formatAddress(remote.family, remote.value),
		guest && `guest ${formatAddress(guest.family, guest.value)}`,
		by && `by ${caseSenderText(by)}`,
	];
	return {
		name: optionalText(reader, fields, "name") ?? asked.filter((part) => part !== null).join(" "),
		place: reader.place(item.node),
		direction,
		protocol,
		family: remote.family,
		address: remote.value,
		...ports,
		interface: network,
		guest: guest?.value ?? null,
		by,
		expect,
		policy,
	};
}

export function optionalText(reader: NodeReader, fields: Fields, name: string): string | null {
	const field = reader.present(fields, name);
	return field && reader.text(field.node, field.path);
}

export function readDirection(reader: NodeReader, fields: Fields): Direction | null {
	const field = reader.present(fields, "direction");
	const text = field && reader.text(field.node, field.path);
	if (field === null || text === null) return null;
	const found = directions.find((direction) => direction === text.toLowerCase());
	if (found !== undefined) return found;
	const hint = suggest(text, directions, "directions");
	reader.error(field.node, field.path, "bad-direction", `${quote(text)} is no direction`, hint);
	return null;
}

function readProtocol(reader: NodeReader, fields: Fields): Protocol | null {
	const field = reader.present(fields, "protocol");
	if (field === null) return null;
	const text = wordOrNumber(reader, field);
	const protocol = text === null ? null : parseProtocol(text);
	if (text !== null && protocol === null) {
		const hint = "write tcp, udp, sctp, one without ports such as icmp, or a number from 0 to 255";
		reader.error(field.node, field.path, "bad-protocol", `${quote(text)} is no protocol`, hint);
	}
	return protocol;
}

function readAddress(reader: NodeReader, fields: Fields, name: "address" | "guest") {
	const field = reader.present(fields, name);
	const text = field && reader.text(field.node, field.path);
	if (field === null || text === null) return null;
	const parsed = parseAddress(text);
	if ("family" in parsed) return parsed;
	reader.error(field.node, field.path, "bad-address", parsed.message, "write one address, such as 10.0.1.5");
	return null;
}

export function readInterface(reader: NodeReader, fields: Fields): string {
	const field = reader.present(fields, "interface");
	const text = field && reader.text(field.node, field.path);
	if (field === null || text === null) return "";
	const parsed = parseInterface(text);
	if (parsed.ok && parsed.match !== "any" && !parsed.match.prefix) return parsed.match.name;
	const message = parsed.ok ? `${quote(text)} is a pattern` : parsed.message;
	reader.error(field.node, field.path, "bad-interface", message, "write one interface's name, such as eth0");
	return "";
}

/** A word, or a number as it is written; null (reported) for anything else. */
function wordOrNumber(
	reader: NodeReader,
	{ node, path }: { readonly node: Node; readonly path: Path },
): string | null {
	return isScalar(node) && typeof node.value === "number" ? String(node.value) : reader.text(node, path);
}

type Ports = Pick<PolicyTestCase, "port" | "source">;

function readPorts(
	reader: NodeReader,
	item: Item,
	fields: Fields,
	protocol: "tcp" | "udp" | "sctp",
): Ports | null {
	if (!fields.has("port")) {
		reader.error(
			item.node,
			item.path,
			"missing-field",
			"port is missing",
			"write port: with a number or a service",
		);
		return null;
	}
	refuse(reader, fields, "icmpType", `${protocolLabel(protocol)} has no types`);
	const read = (name: string) => {
		const field = reader.present(fields, name);
		return field && readPort(reader, field, protocol);
	};
	const port = read("port");
	return port === null ? null : { port, source: read("sourcePort") };
}

function readPort(
	reader: NodeReader,
	{ node, path }: { readonly node: Node; readonly path: Path },
	protocol: "tcp" | "udp" | "sctp",
): number | null {
	if (!isScalar(node) || typeof node.value !== "string") return reader.integer(node, path, 0, 65_535);
	if (/^\d{1,5}$/u.test(node.value) && Number(node.value) <= 65_535) return Number(node.value);
	const service = lookupService(node.value, protocol);
	if (service.ok) return service.port;
	reader.error(node, path, "bad-port", service.message, service.hint);
	return null;
}

function readType(reader: NodeReader, fields: Fields, protocol: Exclude<Protocol, string>): Ports | null {
	const message = `${protocolLabel(protocol)} has no ports`;
	refuse(reader, fields, "port", message);
	refuse(reader, fields, "sourcePort", message);
	if (!isIcmp(protocol)) {
		refuse(reader, fields, "icmpType", `${protocolLabel(protocol)} has no types`);
		return { port: 0, source: null };
	}
	const field = reader.present(fields, "icmpType");
	if (field === null) return { port: 0, source: echoRequest(protocol) };
	const text = wordOrNumber(reader, field);
	if (text === null) return null;
	const parsed = parseIcmpType(text, protocol);
	if (parsed.ok) return { port: 0, source: parsed.type };
	reader.error(field.node, field.path, "bad-icmp-type", parsed.message, parsed.hint);
	return null;
}

function refuse(reader: NodeReader, fields: Fields, name: string, message: string): void {
	const field = fields.get(name);
	if (field !== undefined) reader.error(field.key, field.path, "unknown-field", message, `leave ${name} out`);
}
