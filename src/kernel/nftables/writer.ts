/** Objects and commands as nft reads them (nft(8)). Nobody else writes this language. */

import { checkedKeys, checkedLine, checkedName, quoted } from "./check.ts";
import type { Command } from "./commands.ts";
import {
	type Hook,
	keyCount,
	keysOf,
	type MapValue,
	type NftMap,
	type NftObject,
	type NftSet,
	type Quota,
	type Rule,
} from "./objects.ts";

/** @throws UnwritableError */
export function ruleText(rule: Rule): string {
	if (typeof rule === "string") return checkedLine(rule);
	for (let i = 1; i < rule.length; i += 2) checkedName(rule[i] ?? "");
	return checkedLine(rule.join(""));
}

/**
 * What stands inside an object's braces, each line behind `indent`.
 * @throws UnwritableError
 */
export function bodyText(object: NftObject, indent = "\t"): string {
	return linesOf(object, indent)
		.map((line) => `${indent}${line}\n`)
		.join("");
}

/**
 * What an object is but for its name, as texts that are equal only where that is: its keys as they are, without a text of
 * all elements.
 * @throws UnwritableError
 */
export function contentTexts(object: NftObject): readonly string[] {
	if (object.kind !== "set" && object.kind !== "map") return [bodyText(object)];
	const keys = checkedKeys(object.keys);
	const head = keyedProperties(object).join("\n");
	if (object.kind === "set") return [head, keys];
	const values = valuesOf(object, keyCount(keys));
	return [head, keys, values.join("\n"), values.length === 1 ? "" : object.leads.join()];
}

/**
 * An object with all that it holds.
 * @throws UnwritableError
 */
export function objectText(object: NftObject, indent = ""): string {
	return `${indent}${object.kind} ${checkedName(object.name)} {\n${bodyText(object, `${indent}\t`)}${indent}}\n`;
}

/**
 * A table with these objects. Those of one group follow each other; an empty line parts the groups.
 * @throws UnwritableError
 */
export function tableText(table: string, groups: readonly (readonly NftObject[])[]): string {
	const texts = groups.map((objects) => objects.map((object) => objectText(object, "\t")).join(""));
	return `table inet ${checkedName(table)} {\n${texts.join("\n")}}\n`;
}

/**
 * A transaction on one table, which libnftables takes whole or not at all.
 * @throws UnwritableError
 */
export function script(table: string, commands: readonly Command[]): string {
	const name = checkedName(table);
	return commands.map((command) => commandText(name, command)).join("");
}

function commandText(table: string, command: Command): string {
	switch (command.do) {
		case "add-table":
			return `add table inet ${table}\n`;
		case "create-table":
			return `create table inet ${table}\n`;
		case "delete-table":
			return `delete table inet ${table}\n`;
		case "declare":
			return `table inet ${table} {\n${command.objects.map((object) => objectText(object)).join("")}}\n`;
		case "add":
			return `add ${headText(table, command.object)}\n`;
		case "flush":
		case "delete":
			return `${command.do} ${command.kind} inet ${table} ${checkedName(command.name)}\n`;
		case "add-rules": {
			const chain = checkedName(command.chain);
			return command.rules.map((rule) => `add rule inet ${table} ${chain} ${ruleText(rule)}\n`).join("");
		}
		case "add-elements": {
			const keys = checkedKeys(command.keys).replaceAll("\n", ", ");
			return `add element inet ${table} ${checkedName(command.set)} { ${keys} }\n`;
		}
	}
}

/** What makes an object without its rules and elements. */
function headText(table: string, object: NftObject): string {
	const head = `${object.kind} inet ${table} ${checkedName(object.name)}`;
	const lines = propertiesOf(object);
	return lines.length === 0 ? head : `${head} { ${lines.map((line) => line.replace(/;?$/, ";")).join(" ")} }`;
}

function linesOf(object: NftObject, indent: string): readonly string[] {
	const properties = propertiesOf(object);
	if (object.kind === "chain") return [...properties, ...object.rules.map(ruleText)];
	if (object.kind === "set" || object.kind === "map") {
		if (object.keys !== "") return [...properties, "elements = {", ...elementsText(object, indent)];
	}
	return properties;
}

function propertiesOf(object: NftObject): readonly string[] {
	switch (object.kind) {
		case "counter":
			return [];
		case "quota":
			return [quotaText(object)];
		case "chain":
			return object.hook === undefined ? [] : [hookText(object.hook)];
		default:
			return keyedProperties(object);
	}
}

function quotaText({ match, bytes, used }: Quota): string {
	const spent = used === undefined ? "" : ` used ${wholeNumber(used)} bytes`;
	return `${match} ${wholeNumber(bytes)} bytes${spent}`;
}

function hookText({ hook, priority }: Hook): string {
	return `type filter hook ${checkedName(hook)} priority ${priority}; policy accept;`;
}

function keyedProperties(object: NftSet | NftMap): readonly string[] {
	const { type, flags = [], timeout, size } = object;
	const to = object.kind === "map" ? ` : ${object.to}` : "";
	const lines = [`type ${checkedLine(type)}${to}`];
	if (flags.length > 0) lines.push(`flags ${flags.join(",")}`);
	if (timeout !== undefined) lines.push(`timeout ${wholeNumber(timeout)}s`);
	if (size !== undefined) lines.push(`size ${wholeNumber(size)}`);
	return lines;
}

/** One text for all elements, as there may be very many, and the brace that closes them. */
function elementsText(object: NftSet | NftMap, indent: string): readonly string[] {
	const keys = keysOf({ keys: checkedKeys(object.keys) });
	const next = `,\n${indent}\t`;
	if (object.kind === "set") return [`\t${keys.join(next)}`, "}"];
	const { leads } = object;
	const ends = valuesOf(object, keys.length);
	const [only] = ends;
	if (ends.length === 1) return [`\t${keys.join(only + next)}${only}`, "}"];
	return [`\t${keys.map((key, i) => key + ends[leads[i] ?? 0]).join(next)}`, "}"];
}

/** The texts of a map's values, of which each of so many keys has one. */
function valuesOf({ values, leads }: NftMap, keys: number): readonly string[] {
	const texts = values.map(valueText);
	if (leads.length !== keys || leads.some((lead) => texts[lead] === undefined))
		throw new RangeError("a key without a value");
	return texts;
}

function valueText(value: MapValue): string {
	if ("chain" in value) return ` : ${value.verdict} ${checkedName(value.chain)}`;
	const comment = value.comment === undefined ? "" : ` comment ${quoted(value.comment)}`;
	return `${comment} : ${quoted(checkedName(value.counter))}`;
}

function wholeNumber(value: number): number {
	if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("not a whole number");
	return value;
}
