/**
 * The configuration file and the flags over it. A wrong setting is an error
 * with its place and remedy: a firewall must not start with a guess.
 */

import * as v from "valibot";
import { isMap, isNode, isScalar, isSeq, type ParsedNode } from "yaml";
import type { Diagnostic, Place } from "../base/diagnostic.ts";
import type { Path } from "../base/path.ts";
import { printable, quote } from "../base/suggest.ts";
import { NodeReader } from "../document/nodes.ts";
import { Lines, parseSyntax, splitDocuments } from "../document/syntax.ts";
import { apiRefusal } from "./kubearmor-api.ts";
import type { Config } from "./model.ts";
import { configSchema, shapeAt, statusAddressHint } from "./schema.ts";
import { statusRefusal } from "./status-access.ts";
import { isListenAddress } from "./values.ts";
import { warnOfSettings } from "./warnings.ts";

/** The settings, or every reason why there are none. */
export type ConfigResult =
	| {
			readonly ok: true;
			readonly config: Config;
			/** What is wrong without a risk for enforcement, which must go on: an endpoint that is not opened. */
			readonly diagnostics: readonly Diagnostic[];
	  }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Settings that the command line can override; null where the flag was not given. */
export interface ConfigFlags {
	readonly policyDir: string | null;
	readonly stateDir: string | null;
	readonly statusAddress: string | null;
}

/** UTF-16 units of a configuration file. */
const longestConfig = 1024 * 1024;

/** The settings that hold without a file. */
export function defaultConfig(): Config {
	return v.parse(configSchema, {});
}

/** Parses a configuration file (YAML or JSON); an empty one means the defaults. Never throws. */
export function parseConfig(file: string, text: string): ConfigResult {
	const start: Place = { file, line: 1, column: 1 };
	if (text.length > longestConfig) {
		return failure(start, "file-too-large", "the file is larger than 1 MiB", "this is no configuration file");
	}
	const read = text.startsWith("\ufeff") ? text.slice(1) : text;
	const documents = splitDocuments(read).map((chunk) => ({ chunk, syntax: parseSyntax(chunk.source) }));
	const [first, second] = documents.filter(
		({ syntax }) => syntax.problems.length > 0 || !isEmpty(syntax.contents),
	);
	if (first === undefined) return { ok: true, config: defaultConfig(), diagnostics: [] };
	const lines = new Lines(first.chunk);
	const reader = new NodeReader(file, lines, first.syntax.contents);
	for (const { offset, code, message, hint } of first.syntax.problems) {
		reader.report("error", reader.placeAt(offset), null, code, message, hint);
	}
	if (second !== undefined) {
		const place = { file, line: second.chunk.firstLine, column: 1 };
		reader.report(
			"error",
			place,
			null,
			"second-document",
			"a configuration is one YAML document",
			"remove the second",
		);
	}
	if (reader.failed || first.syntax.contents === null) return { ok: false, diagnostics: reader.diagnostics };
	const result = v.safeParse(configSchema, toValue(reader, first.syntax.contents, null), {
		abortPipeEarly: true,
	});
	if (result.success && !reader.failed) {
		const config: Config = result.output;
		reportRefused(reader, first.syntax.contents, "status", "status-refused", statusRefusal(config.status));
		reportRefused(
			reader,
			first.syntax.contents,
			"kubearmorApi",
			"api-refused",
			apiRefusal(config.kubearmorApi),
		);
		warnOfSettings(reader, first.syntax.contents, config);
		return { ok: true, config, diagnostics: reader.diagnostics };
	}
	for (const issue of result.issues ?? []) {
		// A value that is no setting at all has been reported with its own words.
		if (issue.input !== unusable) reportIssue(reader, first.syntax.contents, issue);
	}
	const diagnostics = reader.diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column);
	return { ok: false, diagnostics };
}

/** Stands for a value that was reported already; no schema accepts it. */
const unusable = Symbol("unusable");

function isEmpty(contents: ParsedNode | null): boolean {
	return contents === null || (isScalar(contents) && contents.value === null);
}

function failure(place: Place, code: string, message: string, hint: string): ConfigResult {
	return { ok: false, diagnostics: [{ ...place, path: "", severity: "error", code, message, hint }] };
}

/** Plain data without prototypes; keys without a value are left out, as if they were not written. */
function toValue(reader: NodeReader, node: ParsedNode, path: Path | null): unknown {
	if (isScalar(node)) return node.value;
	const shape = shapeAt(keysOf(path));
	if (isSeq(node) && shape.kind === "array" && path !== null) {
		return reader
			.items(node, path, "[a, b]")
			.map((item) => (isParsed(item.node) ? toValue(reader, item.node, item.path) : unusable));
	}
	if (!isMap(node)) {
		reader.wrongType(node, path, "a setting", node);
		return unusable;
	}
	const value: Record<string, unknown> = Object.create(null);
	const fields = shape.kind === "object" ? reader.fields(node, path, shape.keys) : reader.entries(node, path);
	for (const [name, field] of fields ?? []) {
		const inner = field.node;
		if (inner === null || (isScalar(inner) && inner.value === null)) continue;
		value[name] = isParsed(inner) ? toValue(reader, inner, field.path) : unusable;
	}
	return value;
}

function isParsed(node: unknown): node is ParsedNode {
	return isNode(node) && Array.isArray(node.range);
}

interface Refusal {
	/** Below the setting; absent: its address. */
	readonly key?: string;
	readonly message: string;
	readonly hint: string;
}

/** An endpoint that is not opened, at the place of its address. */
function reportRefused(
	reader: NodeReader,
	contents: ParsedNode,
	setting: string,
	code: string,
	refusal: Refusal | null,
): void {
	if (refusal === null || !isMap(contents)) return;
	const key = refusal.key ?? "address";
	const node: unknown = contents.getIn([setting, key], true);
	const path: Path = { parent: { parent: null, key: setting }, key };
	reader.error(isParsed(node) ? node : contents, path, code, refusal.message, refusal.hint);
}

type Issue = v.InferIssue<typeof configSchema>;

function reportIssue(reader: NodeReader, contents: ParsedNode, issue: Issue): void {
	let node: ParsedNode = contents;
	let path: Path | null = null;
	let written = true;
	for (const item of issue.path ?? []) {
		const key = typeof item.key === "number" ? item.key : String(item.key);
		path = { parent: path, key };
		const next: unknown = isMap(node) || isSeq(node) ? node.get(key, true) : undefined;
		written = isParsed(next);
		if (isParsed(next)) node = next;
	}
	// What the schema received may be the outcome of a step before; the file has what was written.
	const found = written ? shown(node) : "nothing";
	reader.error(node, path, "bad-setting", `${found} is not allowed here`, issue.message);
}

function shown(node: ParsedNode): string {
	if (isMap(node)) return "a mapping";
	if (isSeq(node)) return "a list";
	if (!isScalar(node)) return "an alias";
	return typeof node.value === "string" ? quote(node.value) : printable(node.source ?? String(node.value));
}

/** A path as keys and indices from the root. */
function keysOf(path: Path | null): (string | number)[] {
	const keys: (string | number)[] = [];
	for (let at = path; at !== null; at = at.parent) keys.unshift(at.key);
	return keys;
}

/** The flags over the file's settings. Relative paths must have been made absolute; a bad flag is a usage error. */
export function mergeFlags(
	config: Config,
	flags: ConfigFlags,
): { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly message: string } {
	const address = flags.statusAddress ?? config.status.address;
	if (!isListenAddress(address)) {
		return {
			ok: false,
			message: `--status-address ${quote(address)} is not an address: ${statusAddressHint}`,
		};
	}
	for (const [name, path] of [
		["--policy-dir", flags.policyDir],
		["--state-dir", flags.stateDir],
	]) {
		if (path !== null && path !== undefined && !path.startsWith("/")) {
			return { ok: false, message: `${name} ${quote(path)} is not an absolute path` };
		}
	}
	return {
		ok: true,
		config: {
			...config,
			policyDir: flags.policyDir ?? config.policyDir,
			stateDir: flags.stateDir ?? config.stateDir,
			status: { ...config.status, address },
		},
	};
}
