/** `portward import-kubearmor`: a host's KubeArmor, as settings and policies of portward. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import { parseConfig } from "../../config/parse.ts";
import type { Finding } from "../../convert/finding.ts";
import { type ImportedPolicy, importPolicies } from "../../convert/kubearmor/policies.ts";
import { importSettings } from "../../convert/kubearmor/settings.ts";
import type { SourceText } from "../../convert/reading.ts";
import { dataText } from "../../convert/text.ts";
import { parsePolicyFile } from "../../engine/parse.ts";
import { readBounded } from "../../source/bounded-file.ts";
import { maxFileBytes } from "../../source/policy-directory.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";

const help = `Usage: portward import-kubearmor DIR [--out DIR] [--json]

Turns the KubeArmor of a host, mostly in /opt/kubearmor, into settings and
policies: DIR/kubearmor.yaml, with KubeArmor's defaults for what it leaves out,
and the policies that KubeArmor keeps in DIR/policies. What has no counterpart,
such as rules for files and processes, is a line on standard error, and a
policy that is not valid here is left out and told. What is written validates.
Changes nothing on the host.

  --out DIR  write DIR/config.yaml and DIR/policies/NAME.yaml; no file is ever
             overwritten. Without it they are printed
  --json     print {config, policies, files, report}

Exit codes: 0 everything was taken over, 2 something has no counterpart,
1 failure.
`;

const patienceMs = 10_000;
/** KubeArmor's copies of policies that are read. */
const mostFiles = 10_000;

interface OutFile {
	/** Below the directory. */
	readonly name: string;
	readonly text: string;
}

interface Imported {
	readonly config: Readonly<Record<string, unknown>>;
	readonly policies: readonly ImportedPolicy[];
	readonly files: readonly OutFile[];
	readonly findings: readonly Finding[];
}

export const importKubearmor: Command = {
	name: "import-kubearmor",
	summary: "turn a host's KubeArmor into settings and policies",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{ out: { type: "string", offer: "directory" }, json: { type: "boolean" } },
			["directory"],
		);
		const [directory, ...more] = positionals;
		if (directory === undefined || more.length > 0)
			throw new UsageError("name one directory, such as /opt/kubearmor");
		const imported = importDirectory(directory, io);
		if (imported === null) return exit.failure;
		const { config, policies, files, findings } = imported;
		const problem = values.out === undefined ? null : writeAll(values.out, files);
		if (problem !== null) return fail(io, problem);
		if (values.json) {
			const documents = policies.map(({ document }) => document);
			const written = values.out === undefined ? [] : files.map(({ name }) => name);
			io.out(prettyJson({ config, policies: documents, files: written, report: findings }));
		} else {
			if (values.out === undefined) io.out(files.map(({ name, text }) => `# ${name}\n${text}`).join("---\n"));
			for (const { file, line, column, kind, message } of findings) {
				const what = kind === "lost" ? "no counterpart" : "note";
				io.error(`${escapeForTerminal(`${file}:${line}:${column}: ${what}: ${message}`)}\n`);
			}
			if (values.out !== undefined)
				io.out(`${escapeForTerminal(`wrote ${files.length} files to ${values.out}`)}\n`);
		}
		return findings.some(({ kind }) => kind === "lost") ? exit.changes : exit.ok;
	},
};

function fail(io: Io, message: string): number {
	io.error(`portward: ${escapeForTerminal(message)}\n`);
	return exit.failure;
}

/** Null where there is nothing to import, or it cannot be read, which was told. */
function importDirectory(directory: string, io: Io): Imported | null {
	const settingsFile = join(directory, "kubearmor.yaml");
	const names = policyNames(join(directory, "policies"));
	const hasSettings = existsSync(settingsFile);
	if (typeof names === "string") return failed(io, names);
	if (!hasSettings && names === null)
		return failed(io, `${directory} has neither kubearmor.yaml nor policies: name KubeArmor's directory`);
	const paths = [...(hasSettings ? [settingsFile] : []), ...(names ?? [])];
	const read = paths.map((path) => ({ file: path, text: readFile(path) }));
	for (const { file, text } of read) if (text instanceof Error) return failed(io, `${file}: ${text.message}`);
	const sources = read.map(({ file, text }): SourceText => ({ file, text: String(text) }));
	const settings = importSettings(hasSettings ? (sources[0] ?? null) : null);
	for (const { file, line, column, message } of settings.problems)
		io.error(`${escapeForTerminal(`${file}:${line}:${column}: error: ${message}`)}\n`);
	if (settings.problems.length > 0) return null;
	const findings = [...settings.findings];
	const config = validSettings(settings.settings, settingsFile, findings);
	const imported = importPolicies(hasSettings ? sources.slice(1) : sources);
	findings.push(...imported.findings);
	const policies = withoutTwins(
		imported.policies.filter((policy) => isValid(policy, findings)),
		findings,
	);
	if (policies.length > 1) {
		const message =
			"KubeArmor takes the first rule that matches, in the order of its files; here the narrower rule decides, then Block before Audit before Allow";
		findings.push({ file: join(directory, "policies"), line: 1, column: 1, kind: "changed", message });
	}
	return { config, policies, files: outFiles(config, policies), findings };
}

function failed(io: Io, message: string): null {
	fail(io, message);
	return null;
}

/** Paths in the order in which KubeArmor takes them; null without a directory, a text where it cannot be read. */
function policyNames(directory: string): readonly string[] | null | string {
	if (!existsSync(directory)) return null;
	try {
		const names = readdirSync(directory).filter((name) => /\.(?:ya?ml|json)$/.test(name));
		if (names.length > mostFiles) return `${directory} has more than ${mostFiles} files`;
		return names.toSorted().map((name) => join(directory, name));
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}

function readFile(path: string): string | Error {
	try {
		const read = readBounded(path, { limit: maxFileBytes, patienceMs });
		if (read.ok) return read.text;
		return new Error(read.reason === "too-large" ? "the file is too large" : "nothing comes");
	} catch (error) {
		return error instanceof Error ? error : new Error(String(error));
	}
}

/** The settings without those whose values are none here, such as a cluster's name of a thousand characters. */
function validSettings(
	settings: Readonly<Record<string, unknown>>,
	file: string,
	findings: Finding[],
): Readonly<Record<string, unknown>> {
	const parsed = parseConfig("config.yaml", dataText(settings));
	const wrong = new Map(
		parsed.diagnostics
			.filter(({ severity }) => severity === "error")
			.map(({ path, message, hint }) => [path.split(/[.[]/)[0] ?? "", `${path}: ${message}: ${hint}`]),
	);
	for (const message of wrong.values())
		findings.push({ file, line: 1, column: 1, kind: "lost", message: `left out: ${message}` });
	return Object.fromEntries(Object.entries(settings).filter(([key]) => !wrong.has(key)));
}

/** Whether a policy directory takes it. Why it does not is told at its place in the source. */
function isValid({ name, place, document }: ImportedPolicy, findings: Finding[]): boolean {
	const { documents } = parsePolicyFile(place.file, dataText(document));
	const errors = documents.flatMap(({ diagnostics }) =>
		diagnostics.filter(({ severity }) => severity === "error"),
	);
	for (const { path, message, hint } of errors)
		findings.push({
			...place,
			kind: "lost",
			message: `policy ${name} is left out: ${path}: ${message}: ${hint}`,
		});
	return errors.length === 0;
}

/** Of policies with one name the first: a policy directory takes no two of them. */
function withoutTwins(policies: readonly ImportedPolicy[], findings: Finding[]): readonly ImportedPolicy[] {
	const first = new Map<string, ImportedPolicy>();
	return policies.filter((policy) => {
		const { name, place, document } = policy;
		const key = `${String(document.kind)} ${name}`;
		const other = first.get(key);
		if (other === undefined) {
			first.set(key, policy);
			return true;
		}
		const { file, line, column } = other.place;
		const message = `policy ${name} is left out: it has the name of the one at ${file}:${line}:${column}; rename it in its metadata, and import again`;
		findings.push({ ...place, kind: "lost", message });
		return false;
	});
}

function outFiles(config: Readonly<Record<string, unknown>>, policies: readonly ImportedPolicy[]): OutFile[] {
	const taken = new Set<string>();
	const files = policies.map(({ name, document }): OutFile => {
		const safe = name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[.-]+/, "") || "policy";
		let own = safe;
		for (let number = 2; taken.has(own); number++) own = `${safe}-${number}`;
		taken.add(own);
		return { name: `policies/${own}.yaml`, text: dataText(document) };
	});
	return [{ name: "config.yaml", text: dataText(config) }, ...files];
}

/** Nothing is overwritten. Returns why not all could be written, or null. */
function writeAll(directory: string, files: readonly OutFile[]): string | null {
	try {
		const there = files.find(({ name }) => existsSync(join(directory, name)));
		if (there !== undefined)
			return `${join(directory, there.name)} is there already, and nothing was written; name an empty directory`;
		for (const { name, text } of files) {
			const path = join(directory, name);
			mkdirSync(dirname(path), { recursive: true });
			writeFileSync(path, text, { flag: "wx" });
		}
		return null;
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}
