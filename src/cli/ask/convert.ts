import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import { convertKubernetes, isKubernetesPolicy, type Source } from "../../convert/kubernetes.ts";
import { policyText } from "../../convert/text.ts";
import { Lines, parseSyntax, splitDocuments } from "../../document/syntax.ts";
import { readBounded } from "../../source/bounded-file.ts";
import { maxFileBytes } from "../../source/policy-directory.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";

const help = `Usage: portward convert FILE... [--out DIR] [--json]

Writes policies for hosts that mean what other policies say: Kubernetes'
NetworkPolicy (networking.k8s.io/v1) with ipBlock, ports and policyTypes. What
has no counterpart is a comment in the policy and a line on standard error.
Files that are given together are taken together. Changes nothing on the host.

  --out DIR  write one file for each policy; without it they are printed
  --json     print {policies, report}

Exit codes: 0 everything was converted, 2 something has no counterpart,
1 failure.
`;

const patienceMs = 10_000;

export const convert: Command = {
	name: "convert",
	summary: "turn Kubernetes' network policies into policies of hosts",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(args, {
			out: { type: "string" },
			json: { type: "boolean" },
		});
		if (positionals.length === 0) throw new UsageError("name a file to convert");
		const sources = readSources(positionals, io);
		if (sources === null) return exit.failure;
		const { policies, findings } = convertKubernetes(sources);
		const files = policies.map((policy) => ({
			name: `${policy.document.metadata.name}.yaml`,
			text: policyText(policy),
		}));
		if (values.out !== undefined) {
			const problem = writeAll(values.out, files);
			if (problem !== null) {
				io.error(`portward: ${escapeForTerminal(problem)}\n`);
				return exit.failure;
			}
		}
		if (values.json) {
			io.out(prettyJson({ policies: policies.map(({ document }) => document), report: findings }));
		} else {
			if (values.out === undefined) io.out(files.map(({ text }) => text).join("---\n"));
			for (const { file, line, column, kind, message } of findings) {
				const what = kind === "lost" ? "no counterpart" : "note";
				io.error(`${escapeForTerminal(`${file}:${line}:${column}: ${what}: ${message}`)}\n`);
			}
		}
		return findings.some(({ kind }) => kind === "lost") ? exit.changes : exit.ok;
	},
};

/** Every document of the files, or null where one cannot be read or is no policy that can be converted. */
function readSources(paths: readonly string[], io: Io): Source[] | null {
	const sources: Source[] = [];
	let failed = false;
	const fail = (text: string) => {
		failed = true;
		io.error(`${escapeForTerminal(text)}\n`);
	};
	for (const path of paths) {
		const text = readFile(path);
		if (text instanceof Error) {
			fail(`portward: ${path}: ${text.message}`);
			continue;
		}
		for (const chunk of splitDocuments(text)) {
			const { contents, problems } = parseSyntax(chunk.source);
			const lines = new Lines(chunk);
			for (const { offset, message } of problems) {
				const { line, column } = lines.locate(offset);
				fail(`${path}:${line}:${column}: error: ${message}`);
			}
			if (contents === null || problems.length > 0) continue;
			const place: Source["place"] = (node) => ({ file: path, ...lines.locate(node?.range?.[0] ?? 0) });
			const source = { root: contents, place };
			if (isKubernetesPolicy(source)) sources.push(source);
			else
				fail(
					`${path}:${place(contents).line}:1: error: this is no NetworkPolicy of networking.k8s.io, which is all that can be converted so far`,
				);
		}
	}
	return failed ? null : sources;
}

function readFile(path: string): string | Error {
	try {
		const read = readBounded(path, { limit: maxFileBytes, patienceMs });
		return read.ok
			? read.text
			: new Error(read.reason === "too-large" ? "the file is too large" : "nothing comes");
	} catch (error) {
		return error instanceof Error ? error : new Error(String(error));
	}
}

/** Nothing is overwritten. Returns why not all could be written, or null. */
function writeAll(
	directory: string,
	files: readonly { readonly name: string; readonly text: string }[],
): string | null {
	try {
		mkdirSync(directory, { recursive: true });
		const taken = files.find(
			({ name }, i) => existsSync(join(directory, name)) || files.findIndex((one) => one.name === name) !== i,
		);
		if (taken !== undefined)
			return `${join(directory, taken.name)} would be written twice or is there already; name an empty directory`;
		for (const { name, text } of files) writeFileSync(join(directory, name), text, { flag: "wx" });
		return null;
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}
