/** One element of `matchDevice`: the function, the device, the port, and overrides. */

import { isScalar, type Node } from "yaml";
import type { Action } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { quote, suggest } from "../../../base/suggest.ts";
import { refuseEmptyConditions } from "../../../document/empty.ts";
import {
	type Fields,
	type Item,
	isEmptyNode,
	type NodeReader,
	type Remedies,
} from "../../../document/nodes.ts";
import { type RuleDefaults, readDefaults } from "../../../document/rule-defaults.ts";
import { parseUsbClass } from "../class.ts";
import type { ConnectType, DeviceEntry, DeviceMatch } from "../model.ts";
import { isPortGlob } from "../port.ts";
import {
	numberSource,
	oneOrMany,
	readHashes,
	readUnlessAlso,
	warnOfDecimalProtocol,
	warnOfWildcard,
} from "./condition.ts";

/** What an entry can ask of a device beside its class. */
export const deviceProperties = [
	"subClass",
	"protocol",
	"level",
	"vendorId",
	"productId",
	"serial",
	"product",
	"manufacturer",
	"port",
	"connectType",
	"descriptorsHash",
] as const;

/** The fields without which an entry matches more. */
const conditions = [...deviceProperties, "unlessAlso"] as const;

export const entryFields = ["class", ...conditions, "action", "severity", "tags", "message"] as const;

const remedies: Remedies = {
	vendor: { code: "unknown-field", message: 'unknown field "vendor"', hint: 'write vendorId: "046d"' },
	name: { code: "unknown-field", message: 'unknown field "name"', hint: "write product or manufacturer" },
};

/** The deepest level that the kernel enumerates (MAX_TOPO_LEVEL, drivers/usb/core/hub.c). */
const deepestLevel = 6;

/** A string descriptor holds at most 126 UTF-16 units (USB 2.0 section 9.6.7). */
const longestString = 126;

/** Reads one entry. Whatever is wrong is reported; the result counts only while nothing was. */
export function readDeviceEntry(reader: NodeReader, item: Item, inherited: RuleDefaults): DeviceEntry | null {
	const { node, path, index } = item;
	if (isEmptyNode(node)) {
		reader.error(node, path, "empty-entry", "the entry is empty", "write - class: ALL to match any device");
		return null;
	}
	const fields = reader.fields(node, path, entryFields, remedies);
	if (fields === null) return null;
	const own = readDefaults(reader, fields, inherited);
	refuseEmptyConditions(reader, fields, conditions, own.action);
	const match = readConditions(reader, fields, item, own.action);
	warnOfDecimalProtocol(reader, fields, match);
	if (match.productId !== null && match.vendorId === null) {
		const message = "productId without vendorId matches unrelated products of every vendor";
		const at = fields.get("productId");
		reader.warn(at?.key ?? node, at?.path ?? path, "product-without-vendor", message, "add vendorId");
	}
	return { index, place: reader.place(node), ...own, match };
}

/** What of a device the fields name. */
export function readConditions(
	reader: NodeReader,
	fields: Fields,
	{ node, path }: Pick<Item, "node" | "path">,
	action: Action,
): DeviceMatch {
	const code = readClass(reader, fields, node, path);
	return {
		class: code,
		subClass: readNumber(reader, fields, "subClass", 0),
		protocol: readNumber(reader, fields, "protocol", 0),
		level: readLevel(reader, fields),
		vendorId: readId(reader, fields, "vendorId"),
		productId: readId(reader, fields, "productId"),
		serial: readStrings(reader, fields, "serial"),
		product: readStrings(reader, fields, "product"),
		manufacturer: readStrings(reader, fields, "manufacturer"),
		port: readPortGlob(reader, fields),
		connectType: readConnectType(reader, fields),
		descriptorsHash: readHashes(reader, fields),
		unlessAlso: readUnlessAlso(reader, fields, { class: code, action }),
	};
}

function readClass(reader: NodeReader, fields: Fields, entry: Node, path: Path): number | null {
	const field = reader.present(fields, "class");
	if (field === null) {
		const hint = "write class: HID, or class: ALL for a device of any class";
		reader.error(entry, path, "missing-field", "class is missing", hint);
		return null;
	}
	const text = numberSource(field.node) ?? reader.text(field.node, field.path);
	if (text === null) return null;
	const result = parseUsbClass(text);
	if (result.ok) return result.class;
	reader.error(field.node, field.path, "bad-class", result.message, result.hint);
	return null;
}

function readNumber(reader: NodeReader, fields: Fields, name: string, least: number): number | null {
	const field = reader.present(fields, name);
	if (field === null) return null;
	// Protocols are written in hexadecimal everywhere else: the disks' is 0x50.
	const text = isScalar(field.node) ? (field.node.source ?? "") : "";
	if (/^0x[0-9a-f]{1,2}$/i.test(text) && Number(text) >= least) return Number(text);
	return reader.integer(field.node, field.path, least, 255);
}

function readLevel(reader: NodeReader, fields: Fields): number | null {
	const level = readNumber(reader, fields, "level", 1);
	const field = fields.get("level");
	if (level !== null && level > deepestLevel && field !== undefined) {
		const message = `no USB device is deeper than level ${deepestLevel}, so this entry never matches`;
		reader.warn(field.node, field.path, "cannot-match", message, `write a level from 1 to ${deepestLevel}`);
	}
	return level;
}

function readId(reader: NodeReader, fields: Fields, name: string): number | null {
	const field = reader.present(fields, name);
	if (field === null) return null;
	const source = numberSource(field.node);
	const isHexNumber = source !== null && /^0x/i.test(source);
	const text = isHexNumber ? source : reader.text(field.node, field.path);
	if (text === null) return null;
	const digits = /^(?:0x)?([0-9a-f]{1,4})$/i.exec(text)?.[1];
	if (digits !== undefined) return Number.parseInt(digits, 16);
	const message = `${quote(text)} is not a USB ${name === "vendorId" ? "vendor" : "product"} number`;
	const hint = `write one to four hexadecimal digits in quotes, as lsusb prints them: ${name}: "046d"`;
	reader.error(field.node, field.path, "bad-id", message, hint);
	return null;
}

function readStrings(reader: NodeReader, fields: Fields, name: string): readonly string[] | null {
	const items = oneOrMany(reader, fields, name, '["a", "b"]');
	if (items === null) return null;
	const texts: string[] = [];
	for (const { node: item, path: at } of items) {
		const text = reader.text(item, at);
		if (text === null) continue;
		texts.push(text);
		if (text === "") {
			const hint = `write the ${name} that the device shows, or leave ${name} out`;
			reader.error(item, at, "empty-text", `${name} is empty, and no device shows an empty one`, hint);
		} else if (text.length > longestString) {
			const message = `a USB string has at most ${longestString} characters, so this one never matches`;
			reader.warn(item, at, "cannot-match", message, "shorten it to what the device shows");
		} else warnOfWildcard(reader, name, text, item, at);
	}
	return [...new Set(texts)].sort();
}

function readPortGlob(reader: NodeReader, fields: Fields): string | null {
	const field = reader.present(fields, "port");
	const text = field && reader.text(field.node, field.path);
	if (field === null || text === null) return null;
	if (isPortGlob(text)) return text.replace(/\*+/g, "*");
	let hint = 'write bus-port and a dot for every hub, such as "1-4", "1-4.2" or "1-4.*"';
	const device = text.split(":")[0] ?? "";
	if (/^usb[0-9]+$/.test(text))
		hint = `a root hub is never refused; write "${text.slice(3)}-*" for what is on it`;
	else if (device !== text && isPortGlob(device)) hint = `leave the interface out: write "${device}"`;
	reader.error(
		field.node,
		field.path,
		"bad-port",
		`${quote(text)} is not a USB port or a glob over ports`,
		hint,
	);
	return null;
}

export const connectTypes: readonly ConnectType[] = ["hotplug", "hardwired", "not used", "unknown"];

function readConnectType(reader: NodeReader, fields: Fields): ConnectType | null {
	const field = reader.present(fields, "connectType");
	const text = field && reader.text(field.node, field.path);
	if (field === null || text === null) return null;
	const found = connectTypes.find((type) => type === text.toLowerCase());
	if (found !== undefined) return found;
	const hint = suggest(text, connectTypes, "connect types");
	reader.error(field.node, field.path, "bad-connect-type", `${quote(text)} is not a connect type`, hint);
	return null;
}
