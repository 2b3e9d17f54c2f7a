/** Conditions of a device entry that look at the device as a whole: its descriptors and its other functions. */

import { isScalar, isSeq, type Node } from "yaml";
import type { Action } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { quote } from "../../../base/suggest.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import { parseUsbClass, usbClassName } from "../class.ts";

const hashLength = 64;

/** Reads `descriptorsHash`, one or a list, with or without `sha256:` before it. Null when it is not given. */
export function readHashes(reader: NodeReader, fields: Fields): readonly string[] | null {
	const name = "descriptorsHash";
	const items = oneOrMany(reader, fields, name, '["9f86d081…"]');
	if (items === null) return null;
	const hashes: string[] = [];
	for (const { node, path } of items) {
		const text = reader.text(node, path);
		if (text === null) continue;
		const digits = /^(?:sha256:)?([0-9a-f]+)$/i.exec(text)?.[1]?.toLowerCase();
		if (digits?.length === hashLength) {
			hashes.push(digits);
			continue;
		}
		const message = `${quote(text)} is not a SHA-256 sum, which has ${hashLength} hexadecimal digits`;
		const hint = "write what portward usb generate-policy PORT or usb list --json prints, in quotes";
		reader.error(node, path, "bad-hash", message, hint);
	}
	return [...new Set(hashes)].sort();
}

/**
 * Reads `unlessAlso`, one class or a list of them. Only an Allow entry may have it: a Block that stops to apply where
 * a device shows one function more would be opened by the device itself.
 */
export function readUnlessAlso(
	reader: NodeReader,
	fields: Fields,
	entry: { readonly class: number | null; readonly action: Action },
): readonly number[] | null {
	const name = "unlessAlso";
	const field = fields.get(name);
	const items = oneOrMany(reader, fields, name, "[HID]");
	if (field === undefined || items === null) return null;
	if (entry.action !== "Allow") {
		const message = `unlessAlso belongs to an Allow entry, and this one says ${entry.action}`;
		const hint = "remove it, or write action: Allow";
		reader.error(field.key, field.path, "unless-also-action", message, hint);
	}
	const classes: number[] = [];
	for (const { node, path } of items) {
		const text = numberSource(node) ?? reader.text(node, path);
		if (text === null) continue;
		const parsed = parseUsbClass(text);
		if (!parsed.ok) reader.error(node, path, "bad-class", parsed.message, parsed.hint);
		else if (parsed.class === null) {
			const hint = "name the classes that must not be there too, such as HID";
			reader.error(node, path, "bad-class", "every device is also of class ALL", hint);
		} else {
			classes.push(parsed.class);
			if (parsed.class === entry.class) {
				const message = `what this entry matches is ${usbClassName(parsed.class)} itself, so it never matches`;
				reader.warn(node, path, "cannot-match", message, "name other classes than that of the entry");
			}
		}
	}
	return [...new Set(classes)].sort((a, b) => a - b);
}

/** Warns of wildcards where none are known. */
export function warnOfWildcard(reader: NodeReader, name: string, text: string, node: Node, path: Path): void {
	if (!text.includes("*")) return;
	const message = `${name} is compared as it stands: * is a character like any other here`;
	const hint = `write what the device shows, or leave ${name} out; vendorId and productId match every unit`;
	reader.warn(node, path, "literal-wildcard", message, hint);
}

const massStorage = 8;

/** Warns where a protocol of disks stands in decimal that everybody writes in hexadecimal: 0x50 is Bulk-Only, 0x62 UAS. */
export function warnOfDecimalProtocol(
	reader: NodeReader,
	fields: Fields,
	entry: { readonly class: number | null; readonly protocol: number | null },
): void {
	const field = fields.get("protocol");
	const { protocol } = entry;
	if (field === undefined || entry.class !== massStorage || (protocol !== 50 && protocol !== 62)) return;
	const message = `protocol ${protocol} is decimal, and no disk shows it; 0x${protocol} is probably meant`;
	reader.warn(field.node, field.path, "decimal-protocol", message, `write protocol: 0x${protocol}`);
}

/** A YAML number as it is written, null for anything else. */
export function numberSource(node: Node): string | null {
	return isScalar(node) && typeof node.value === "number" ? (node.source ?? String(node.value)) : null;
}

/** The elements of a list, or the one value in its place; null when the field is not given. An empty list is an error. */
export function oneOrMany(
	reader: NodeReader,
	fields: Fields,
	name: string,
	example: string,
): readonly { readonly node: Node; readonly path: Path }[] | null {
	const field = reader.present(fields, name);
	if (field === null) return null;
	const { node, path } = field;
	if (!isSeq(node)) return [field];
	if (node.items.length === 0) {
		reader.error(node, path, "empty-list", `the list ${name} is empty`, `name one ${name} or leave it out`);
	}
	return reader.items(node, path, example);
}
