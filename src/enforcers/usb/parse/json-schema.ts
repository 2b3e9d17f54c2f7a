/** JSON Schema of the `device` block, made of the tables that it is read by. */

import {
	type JsonSchema,
	list,
	mapping,
	matching,
	oneOrMany,
	ruleDefaults,
	text,
	whole,
	words,
} from "../../../document/json-schema.ts";
import { usbClassNames } from "../class.ts";
import { connectTypes, entryFields } from "./entry.ts";

export const usbClass: JsonSchema = {
	anyOf: [words(usbClassNames), whole(1, 255), matching("^(?:0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,2})$")],
};
const byte: JsonSchema = { anyOf: [whole(0, 255), matching("^0[xX][0-9a-fA-F]{1,2}$")] };
const id: JsonSchema = { anyOf: [matching("^(?:0[xX])?[0-9a-fA-F]{1,4}$"), whole(0, 65_535)] };
const strings = oneOrMany({ ...text, minLength: 1 });

/** What of a device can be named, but for its class. */
export const entrySchemas = {
	subClass: byte,
	protocol: byte,
	level: byte,
	vendorId: id,
	productId: id,
	serial: strings,
	product: strings,
	manufacturer: strings,
	port: matching("^[0-9*?][-0-9.*?]{0,63}$"),
	connectType: words(connectTypes),
	descriptorsHash: oneOrMany(matching("^(?:[Ss][Hh][Aa]256:)?[0-9a-fA-F]{64}$")),
} as const;

const entry = mapping(
	entryFields,
	{
		class: usbClass,
		...entrySchemas,
		unlessAlso: oneOrMany(usbClass),
		...ruleDefaults,
	},
	["class"],
);

export const deviceFields = ["matchDevice", "action", "severity", "tags", "message"] as const;

export const deviceSchema: JsonSchema = mapping(deviceFields, { matchDevice: list(entry), ...ruleDefaults });
