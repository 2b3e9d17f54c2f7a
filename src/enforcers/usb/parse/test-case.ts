/** Reads one case about a USB device of a PortwardTest document: one function of a device that is only described. */

import type { Place } from "../../../base/diagnostic.ts";
import type { Action } from "../../../base/model.ts";
import { quote } from "../../../base/suggest.ts";
import { actionNames, readAction } from "../../../document/action.ts";
import {
	type JsonSchema,
	mapping,
	oneOrMany as oneOrManyOf,
	text,
	words,
} from "../../../document/json-schema.ts";
import type { Fields, Item, NodeReader } from "../../../document/nodes.ts";
import { parseUsbClass, usbClassName } from "../class.ts";
import type { DeviceQuery } from "../compile/explain.ts";
import { isPortPattern } from "../port.ts";
import { numberSource, oneOrMany } from "./condition.ts";
import { deviceProperties, readConditions } from "./entry.ts";
import { entrySchemas, usbClass } from "./json-schema.ts";

/** A case with this field is about a device. */
export const deviceCaseField = "device";

const caseFields = ["name", deviceCaseField, "expect", "policy"] as const;

/** What a device is, by the names that the conditions of a policy have; `also`: the classes of its other functions. */
const describedFields = ["class", ...deviceProperties, "also"] as const;

export interface DeviceTestCase {
	/** As written, or what is asked in short. */
	readonly name: string;
	readonly place: Place;
	readonly query: DeviceQuery;
	readonly expect: Action;
	/** Who is expected to decide; null where that does not matter. */
	readonly policy: string | null;
}

/** Null when anything in it is an error, all of which is reported. */
export function readDeviceCase(reader: NodeReader, item: Item): DeviceTestCase | null {
	const fields = reader.fields(item.node, item.path, caseFields);
	if (fields === null) return null;
	const expected = reader.present(fields, "expect");
	if (!fields.has("expect"))
		reader.error(item.node, item.path, "missing-field", "expect is missing", "write expect: with its value");
	const expect = expected && readAction(reader, expected.node, expected.path);
	const query = readQuery(reader, fields);
	const policy = textOf(reader, fields, "policy");
	const name = textOf(reader, fields, "name");
	if (expect === null || query === null) return null;
	const place = reader.place(item.node);
	return { name: name ?? `USB ${usbClassName(query.class)}`, place, query, expect, policy };
}

function textOf(reader: NodeReader, fields: Fields, name: string): string | null {
	const field = reader.present(fields, name);
	return field && reader.text(field.node, field.path);
}

function readQuery(reader: NodeReader, fields: Fields): DeviceQuery | null {
	const device = reader.present(fields, deviceCaseField);
	if (device === null) return null;
	const { node, path } = device;
	const described = reader.fields(node, path, describedFields);
	if (described === null) return null;
	const match = readConditions(reader, described, { node, path }, "Block");
	const field = described.get("class");
	if (match.class === null) {
		if (field !== undefined && !reader.failed)
			reader.error(
				field.node,
				field.path,
				"bad-class",
				"no function is of class ALL",
				"name one class, such as HID",
			);
		return null;
	}
	const { port } = match;
	const at = described.get("port");
	if (port !== null && isPortPattern(port) && at !== undefined)
		reader.error(
			at.node,
			at.path,
			"bad-port",
			`${quote(port)} is a pattern`,
			"write one port, such as 1-4.2",
		);
	const also = readAlso(reader, described);
	return {
		class: match.class,
		subClass: match.subClass,
		protocol: match.protocol,
		level: match.level ?? levelOf(port),
		vendorId: match.vendorId,
		productId: match.productId,
		serial: only(reader, described, "serial", match.serial),
		product: only(reader, described, "product", match.product),
		manufacturer: only(reader, described, "manufacturer", match.manufacturer),
		port,
		connectType: match.connectType,
		twin: null,
		descriptorsHash: only(reader, described, "descriptorsHash", match.descriptorsHash),
		classes: new Set([match.class, ...also]),
	};
}

/** 1-4.2 is two hops from its controller. */
function levelOf(port: string | null): number | null {
	return port === null ? null : port.split(".").length;
}

function only(
	reader: NodeReader,
	fields: Fields,
	name: string,
	texts: readonly string[] | null,
): string | null {
	const field = fields.get(name);
	if (texts !== null && texts.length > 1 && field !== undefined)
		reader.error(
			field.node,
			field.path,
			"wrong-type",
			`a device has one ${name}`,
			"write one value without brackets",
		);
	return texts?.[0] ?? null;
}

function readAlso(reader: NodeReader, fields: Fields): number[] {
	return (oneOrMany(reader, fields, "also", "[HID]") ?? []).flatMap(({ node, path }) => {
		const written = numberSource(node) ?? reader.text(node, path);
		if (written === null) return [];
		const parsed = parseUsbClass(written);
		if (parsed.ok && parsed.class !== null) return [parsed.class];
		const message = parsed.ok ? "no function is of class ALL" : parsed.message;
		reader.error(node, path, "bad-class", message, parsed.ok ? "name one class, such as HID" : parsed.hint);
		return [];
	});
}

export const deviceCaseSchema: JsonSchema = {
	...mapping(caseFields, {
		name: text,
		device: mapping(describedFields, { ...entrySchemas, class: usbClass, also: oneOrManyOf(usbClass) }, [
			"class",
		]),
		expect: words(actionNames),
		policy: text,
	}),
	required: [deviceCaseField, "expect"],
};
