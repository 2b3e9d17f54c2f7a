/** Ports of one `ports` entry: a number or service name, and perhaps where a range ends. */

import { isScalar, isSeq, type Node } from "yaml";
import type { PortRange, Transport } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { lookupService } from "../../../base/services.ts";
import { quote } from "../../../base/suggest.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import { portHint } from "./port-hints.ts";

const usualHint = 'write a number from 1 to 65535, or a service name such as "https"';

/** The fields of the destination's ports and of the source's. */
export const portFields = {
	destination: { first: "port", last: "endPort", bad: "bad-port", badEnd: "bad-end-port" },
	source: {
		first: "sourcePort",
		last: "sourceEndPort",
		bad: "bad-source-port",
		badEnd: "bad-source-end-port",
	},
} as const;

type PortFields = (typeof portFields)[keyof typeof portFields];

/** Null: every port. "failed": something was reported. `transport` null: it could not be read, and that is reported. */
export function readPorts(
	reader: NodeReader,
	fields: Fields,
	names: PortFields,
	transport: Transport | null,
): PortRange | null | "failed" {
	const firstField = reader.present(fields, names.first);
	const lastField = reader.present(fields, names.last);
	if (firstField === null) {
		if (lastField === null) return null;
		const message = `${names.last} without ${names.first} says where a range ends, not where it begins`;
		const hint = `write ${names.first} as well`;
		reader.error(lastField.node, lastField.path, "end-port-alone", message, hint);
		return "failed";
	}
	const first = readFirst(reader, firstField.node, firstField.path, names, transport);
	if (lastField === null) return first === null ? "failed" : { first, last: first };
	const last = readLast(reader, lastField.node, lastField.path, names);
	if (first === null || last === null) return "failed";
	if (last < first) {
		const message = `${names.last} ${last} is below ${names.first} ${first}`;
		const hint = `write ${first} to 65535, or swap them`;
		reader.error(lastField.node, lastField.path, "end-port-below-port", message, hint);
		return "failed";
	}
	return { first, last };
}

/** A number, a numeric string or a service name. */
function readFirst(
	reader: NodeReader,
	node: Node,
	path: Path,
	names: PortFields,
	transport: Transport | null,
): number | null {
	const text = scalarText(node);
	if (text === null) {
		const list = isSeq(node) ? node.items.map((item) => (isScalar(item) ? String(item.value) : "?")) : [];
		const hint = list.length === 0 ? usualHint : portHint(list.join(","), names.first, usualHint);
		reader.wrongType(node, path, "a port", node, hint);
		return null;
	}
	if (!/^[-+.\d]/.test(text)) {
		const hint = portHint(text, names.first, "");
		if (hint !== "" || !/^[\w.+-]{1,64}$/.test(text)) {
			reader.error(node, path, names.bad, `${quote(text)} is not a port`, hint === "" ? usualHint : hint);
			return null;
		}
		// With a broken protocol the name cannot be judged, and that is reported already.
		if (transport === null) return null;
		const service = lookupService(text, transport);
		if (service.ok) return service.port;
		reader.error(node, path, "unknown-service", service.message, service.hint);
		return null;
	}
	return portNumber(reader, node, path, text, names, names.bad);
}

function readLast(reader: NodeReader, node: Node, path: Path, names: PortFields): number | null {
	const text = scalarText(node);
	if (text === null || !/^[-+.\d]/.test(text)) {
		const hint = `write ${names.last} as a number from 1 to 65535`;
		reader.wrongType(node, path, "a port number", node, hint);
		return null;
	}
	return portNumber(reader, node, path, text, names, names.badEnd);
}

function portNumber(
	reader: NodeReader,
	node: Node,
	path: Path,
	text: string,
	names: PortFields,
	code: string,
): number | null {
	const range = /^(\d{1,5})\s*[-:]\s*(\d{1,5})$/.exec(text);
	if (range !== null) {
		const hint = `write ${names.first}: ${range[1]} and ${names.last}: ${range[2]}`;
		reader.error(node, path, code, `${quote(text)} is a range, not a port`, hint);
		return null;
	}
	const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
	if (port >= 1 && port <= 65535) return port;
	const hint = portHint(text, names.first, "write a number from 1 to 65535");
	reader.error(node, path, code, `${quote(text)} is not a port number`, hint);
	return null;
}

/** A number as it stands in the file, or a string; null for anything else. */
export function scalarText(node: Node): string | null {
	if (!isScalar(node)) return null;
	if (typeof node.value === "string") return node.value;
	return typeof node.value === "number" ? (node.source ?? String(node.value)) : null;
}
