/** Reads one table of a PortwardTest document: addresses in rows, ports in columns, a sign in each cell. */

import { parseAddress } from "../../../base/cidr.ts";
import { echoRequest, parseIcmpType } from "../../../base/icmp-type.ts";
import type { Action, Protocol } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { isIcmp, isTransport, parseProtocol, protocolFits, protocolLabel } from "../../../base/protocol.ts";
import { lookupService } from "../../../base/services.ts";
import { quote } from "../../../base/suggest.ts";
import type { Field, Item, NodeReader } from "../../../document/nodes.ts";
import { optionalText, readDirection, readInterface } from "./test-case.ts";
import type { PolicyTestCase, PolicyTestTable } from "./test-model.ts";
import { readCaseSender } from "./test-sender.ts";

export const tableFields = [
	"name",
	"direction",
	"interface",
	"user",
	"group",
	"service",
	"columns",
	"rows",
] as const;
/** Those that every table has. */
export const neededTableFields = ["direction", "columns", "rows"] as const;

/** What stands in a cell. */
export const tableSigns: Readonly<Record<string, Action>> = { ".": "Allow", X: "Block", A: "Audit" };

const signsHint = 'write one sign for each column: "." for Allow, X for Block, A for Audit';

interface Column {
	readonly label: string;
	readonly protocol: Protocol;
	readonly port: number;
	readonly source: number | null;
}

/** Null when anything in it is an error, all of which is reported. */
export function readTable(reader: NodeReader, { node, path }: Item): PolicyTestTable | null {
	const fields = reader.fields(node, path, tableFields);
	if (fields === null) return null;
	for (const field of neededTableFields) {
		if (!fields.has(field))
			reader.error(node, path, "missing-field", `${field} is missing`, `write ${field}: with its value`);
	}
	const direction = readDirection(reader, fields);
	const network = readInterface(reader, fields);
	const by = readCaseSender(reader, fields, { direction, guest: false });
	const list = reader.present(fields, "columns");
	const columns = (list === null ? [] : reader.items(list.node, list.path, "[tcp 22, udp 53, icmp]")).map(
		(item) => readColumn(reader, item),
	);
	const rows = reader.present(fields, "rows");
	const entries = rows && reader.entries(rows.node, rows.path);
	if (direction === null || entries === null || columns.length === 0) return null;
	const name = optionalText(reader, fields, "name") ?? `${direction} table`;
	const lines = [...entries].map(([label, field]) => {
		const address = parseAddress(label);
		if ("message" in address) {
			reader.error(
				field.key,
				field.path,
				"bad-address",
				address.message,
				"write one address, such as 10.0.1.5",
			);
			return { label, cells: [] };
		}
		const signs = readSigns(reader, field, columns.length);
		const place = reader.place(field.key);
		const cells = signs.map((expect, index): PolicyTestCase | null => {
			const column = columns[index];
			if (column === undefined || column === null) return null;
			const { family, value } = address;
			if (expect === null || !protocolFits(column.protocol, family)) return null;
			const { label: what, ...packet } = column;
			const about = { direction, family, address: value, interface: network, guest: null, by, policy: null };
			return { name: `${name}: ${label} ${what}`, place, ...about, ...packet, expect };
		});
		return { label, cells };
	});
	if (lines.length === 0)
		reader.error(
			rows?.node ?? node,
			rows?.path ?? path,
			"no-cases",
			"the table has no rows",
			"write ADDRESS: . X",
		);
	return {
		name,
		place: reader.place(node),
		direction,
		columns: columns.map((column) => column?.label ?? ""),
		rows: lines,
	};
}

/** "tcp 22", "udp ntp", "icmp", "icmp echo-request" or a number of a protocol. */
function readColumn(reader: NodeReader, { node, path }: Item): Column | null {
	const label = reader.text(node, path);
	if (label === null) return null;
	const refuse = (message: string, hint: string): null => {
		reader.error(node, path, "bad-column", message, hint);
		return null;
	};
	const [word = "", detail, ...more] = label.trim().split(/\s+/u);
	const protocol = parseProtocol(word);
	const hint = "write a protocol and a port, such as tcp 22, or a protocol without ports, such as icmp";
	if (protocol === null || more.length > 0)
		return refuse(`${quote(label)} is no protocol with its port`, hint);
	if (isTransport(protocol)) {
		if (detail === undefined) return refuse(`${quote(label)} has no port`, hint);
		const port = /^\d{1,5}$/u.test(detail) ? Number(detail) : null;
		if (port !== null && port <= 65_535) return { label, protocol, port, source: null };
		const service = lookupService(detail, protocol);
		return service.ok
			? { label, protocol, port: service.port, source: null }
			: refuse(service.message, service.hint);
	}
	if (!isIcmp(protocol)) {
		return detail === undefined
			? { label, protocol, port: 0, source: null }
			: refuse(`${protocolLabel(protocol)} has no ports`, `write ${word} alone`);
	}
	if (detail === undefined) return { label, protocol, port: 0, source: echoRequest(protocol) };
	const type = parseIcmpType(detail, protocol);
	return type.ok ? { label, protocol, port: 0, source: type.type } : refuse(type.message, type.hint);
}

/** One for each column; null for a cell that says nothing, which is "-". */
function readSigns(
	reader: NodeReader,
	{ node, path, key }: Field,
	columns: number,
): readonly (Action | null)[] {
	const text = reader.text(node, path);
	if (text === null) return [];
	const signs = text.trim().split(/\s+/u);
	if (signs.length !== columns) {
		const message = `the row has ${signs.length} cells, and the table ${columns} columns`;
		reader.error(node ?? key, path, "bad-row", message, signsHint);
	}
	return signs.map((sign) => readSign(reader, sign, { node, path }));
}

function readSign(reader: NodeReader, sign: string, at: { node: Field["node"]; path: Path }): Action | null {
	if (sign === "-") return null;
	const action = Object.hasOwn(tableSigns, sign) ? tableSigns[sign] : undefined;
	if (action !== undefined) return action;
	reader.error(at.node, at.path, "bad-cell", `${quote(sign)} says no action`, `${signsHint}, - for nothing`);
	return null;
}
