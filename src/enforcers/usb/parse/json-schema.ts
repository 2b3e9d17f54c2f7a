/** JSON Schema of KubeArmorHostPolicy, made of the tables that it is read by. */

import {
	anything,
	head,
	type JsonSchema,
	list,
	mapping,
	matching,
	neededFields,
	nodeSelector,
	oneOrMany,
	ruleDefaults,
	text,
	whole,
	words,
} from "../../../document/json-schema.ts";
import { usbClassNames } from "../class.ts";
import { connectTypes, entryFields } from "./entry.ts";
import { deviceFields, documentFields, otherBlocks, specFields } from "./host-policy.ts";

const usbClass: JsonSchema = {
	anyOf: [words(usbClassNames), whole(1, 255), matching("^(?:0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,2})$")],
};
const byte: JsonSchema = { anyOf: [whole(0, 255), matching("^0[xX][0-9a-fA-F]{1,2}$")] };
const id: JsonSchema = { anyOf: [matching("^(?:0[xX])?[0-9a-fA-F]{1,4}$"), whole(0, 65_535)] };
const strings = oneOrMany({ ...text, minLength: 1 });

const entry = mapping(
	entryFields,
	{
		class: usbClass,
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
		unlessAlso: oneOrMany(usbClass),
		...ruleDefaults,
	},
	["class"],
);

const others = Object.fromEntries(otherBlocks.map((block) => [block, anything])) as Record<
	(typeof otherBlocks)[number],
	JsonSchema
>;

export const hostPolicySchema: JsonSchema = mapping(
	documentFields,
	{
		...head("KubeArmorHostPolicy"),
		spec: mapping(specFields, {
			nodeSelector,
			...ruleDefaults,
			device: mapping(deviceFields, { matchDevice: list(entry), ...ruleDefaults }),
			...others,
		}),
		status: anything,
	},
	neededFields,
);
