/** `port` and `endPort` of one `ports` entry. */

import { isScalar, type Node } from "yaml";
import type { PortRange, Transport } from "./model.ts";
import type { Fields, NodeReader } from "./nodes.ts";
import type { Path } from "./path.ts";
import { lookupService } from "./services.ts";
import { quote } from "./suggest.ts";

const portHint = 'write a number from 1 to 65535, or a service name such as "https"';

/** Null: every port of the protocol. "failed": something was reported. */
export function readPort(
	reader: NodeReader,
	fields: Fields,
	entry: Node,
	path: Path,
	protocol: Transport | null,
): PortRange | null | "failed" {
	const portField = reader.present(fields, "port");
	const endField = reader.present(fields, "endPort");
	if (portField === null) {
		if (endField !== null) {
			const message = "endPort without port says where a range ends, not where it begins";
			reader.error(endField.node, endField.path, "end-port-alone", message, "write port as well");
			return "failed";
		}
		if (!fields.has("protocol") && !reader.failed) {
			const message = "an entry without protocol and port matches every TCP port and nothing else";
			reader.warn(entry, path, "any-tcp-port", message, "leave ports out to match every protocol");
		}
		return null;
	}
	const first = readFirst(reader, portField.node, portField.path, protocol);
	if (endField === null) return first === null ? "failed" : { first, last: first };
	const last = readEnd(reader, endField.node, endField.path);
	if (first === null || last === null) return "failed";
	if (last < first) {
		const message = `endPort ${last} is below port ${first}`;
		reader.error(
			endField.node,
			endField.path,
			"end-port-below-port",
			message,
			`write ${first} to ${65535}, or swap them`,
		);
		return "failed";
	}
	return { first, last };
}

/** A number, a numeric string or a service name. */
function readFirst(reader: NodeReader, node: Node, path: Path, protocol: Transport | null): number | null {
	const text = scalarText(node);
	if (text === null) {
		reader.wrongType(node, path, "a port", node, portHint);
		return null;
	}
	if (!/^[-+.\d]/.test(text)) {
		if (!/^[\w.+-]{1,64}$/.test(text)) {
			reader.error(node, path, "bad-port", `${quote(text)} is not a port`, portHint);
			return null;
		}
		// With a broken protocol the name cannot be judged, and that is reported already.
		if (protocol === null) return null;
		const service = lookupService(text, protocol);
		if (service.ok) return service.port;
		reader.error(node, path, "unknown-service", service.message, service.hint);
		return null;
	}
	return portNumber(reader, node, path, text, "bad-port");
}

function readEnd(reader: NodeReader, node: Node, path: Path): number | null {
	const text = scalarText(node);
	if (text === null || !/^[-+.\d]/.test(text)) {
		reader.wrongType(node, path, "a port number", node, "write endPort as a number from 1 to 65535");
		return null;
	}
	return portNumber(reader, node, path, text, "bad-end-port");
}

function portNumber(reader: NodeReader, node: Node, path: Path, text: string, code: string): number | null {
	const range = /^(\d{1,5})\s*[-:]\s*(\d{1,5})$/.exec(text);
	if (range !== null) {
		const hint = `write port: ${range[1]} and endPort: ${range[2]}`;
		reader.error(node, path, code, `${quote(text)} is a range, not a port`, hint);
		return null;
	}
	const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
	if (port >= 1 && port <= 65535) return port;
	reader.error(node, path, code, `${quote(text)} is not a port number`, "write a number from 1 to 65535");
	return null;
}

/** A number as it stands in the file, or a string; null for anything else. */
function scalarText(node: Node): string | null {
	if (!isScalar(node)) return null;
	if (typeof node.value === "string") return node.value;
	return typeof node.value === "number" ? (node.source ?? String(node.value)) : null;
}
