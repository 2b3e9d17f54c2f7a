/** The JSON Schema files of docs/schema: reading them, and their fields as tables of docs/http.md and docs/json.md. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dir, "../docs/schema");

/** As much of draft 2020-12 as our schemas use. */
export interface Schema {
	readonly $ref?: string;
	readonly $defs?: Readonly<Record<string, Schema>>;
	readonly title?: string;
	readonly description?: string;
	readonly type?: string | readonly string[];
	readonly enum?: readonly unknown[];
	readonly anyOf?: readonly Schema[];
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly required?: readonly string[];
	readonly additionalProperties?: Schema | false;
	readonly items?: Schema;
}

export const schemaNames: readonly string[] = readdirSync(folder)
	.map((name) => name.replace(/\.json$/, ""))
	.sort();

export function readSchema(name: string): Schema {
	const schema: Schema = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
	return schema;
}

interface Row {
	readonly path: string;
	readonly type: string;
	readonly meaning: string;
}

/** What a value is, in a word or two. */
function typeOf(schema: Schema): string {
	if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
	if (schema.$ref !== undefined) return schema.$ref.startsWith("#") ? "object" : link(schema.$ref);
	if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
	const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
	return types.join(" or ");
}

const link = (file: string) => `[${file.replace(/\.json$/, "")}](schema/${file})`;

/** The objects that a schema leads to, with the way to them; other files' are named and not followed. */
function rowsOf(schema: Schema, root: Schema, path: string): Row[] {
	if (schema.$ref?.startsWith("#/$defs/")) {
		const named = root.$defs?.[schema.$ref.slice("#/$defs/".length)];
		return named === undefined ? [] : rowsOf(named, root, path);
	}
	if (schema.items !== undefined) return rowsOf(schema.items, root, `${path}[]`);
	const further = (schema.anyOf ?? []).flatMap((one) => rowsOf(one, root, path));
	const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
		const at = path === "" ? name : `${path}.${name}`;
		return [{ path: at, type: typeOf(field), meaning: field.description ?? "" }, ...rowsOf(field, root, at)];
	});
	return [...further, ...own];
}

/** The fields of one file as a table. */
function table(name: string): string {
	const schema = readSchema(name);
	const rows = new Map(rowsOf(schema, schema, "").map((row) => [row.path, row]));
	const lines = [...rows.values()].map(({ path, type, meaning }) => `| \`${path}\` | ${type} | ${meaning} |`);
	const heading = `${schema.title ?? name}: ${link(`${name}.json`)}.`;
	return [heading, "", "| field | type | meaning |", "| --- | --- | --- |", ...lines].join("\n");
}

/** Tables of several files, one after the other. */
export function schemaTables(names: readonly string[]): string {
	return names.map(table).join("\n\n");
}

/** Files whose tables stand in docs/http.md; those of the commands stand in docs/json.md. */
export const answerSchemas = [
	"status",
	"usb-devices",
	"usb-history",
	"history",
	"alerts",
	"error",
	"diagnostic",
] as const;
export const commandSchemas = [
	"validate",
	"explain",
	"explain-all",
	"explain-alert",
	"recommend",
	"recommend-narrow",
	"recommend-usb",
	"simulate",
	"flow",
	"plan",
	"diff",
	"search",
	"graph",
	"report",
	"test",
	"convert",
	"import-kubearmor",
	"usb-explain",
	"fmt",
	"exposure",
	"doctor",
	"flows",
	"flow-groups",
	"top",
	"completion",
	"version",
	"outcome",
	"verdict-box",
] as const;
