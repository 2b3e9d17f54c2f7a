import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Finding } from "../../convert/finding.ts";
import { convertAll, type Format, formatOf, formats } from "../../convert/formats.ts";
import type { SourceText } from "../../convert/reading.ts";
import { policyText } from "../../convert/text.ts";
import { readBounded } from "../../source/bounded-file.ts";
import { maxFileBytes } from "../../source/policy-directory.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOptions } from "../options.ts";
import { describeProof, type Proof, proveOrder } from "./convert-proof.ts";

const help = `Usage: portward convert FILE... [--from FORMAT] [--out DIR] [--json]

Writes policies that mean what the rules of another product say. What has no
counterpart is a comment in the policy and a line on standard error. Files that
are given together are taken together. Where the order of the source's rules
matters, the policies are held against it, and the packets told for which they
differ, if any. Changes nothing on the host.

FORMAT is found out from the content:
  iptables    iptables-save, ip6tables-save, ufw's user.rules, user6.rules
  nft         nft -j list ruleset
  firewalld   zones, and files of services that they name
  calico      GlobalNetworkPolicy, NetworkPolicy and HostEndpoint
  kubernetes  NetworkPolicy of networking.k8s.io
  usbguard    rules.conf of USBGuard, to a policy for devices

  --from FORMAT  do not guess
  --out DIR      write one file for each policy; without it they are printed
  --json         print {policies, report, proof}

Exit codes: 0 everything was converted, 2 something has no counterpart or
differs, 1 failure.
`;

const patienceMs = 10_000;

export const convert: Command = {
	name: "convert",
	summary: "turn other products' rules into policies of hosts",
	help,
	async run(args, io) {
		const { values, positionals } = parseOptions(
			args,
			{
				from: { type: "string" },
				out: { type: "string", offer: "directory" },
				json: { type: "boolean" },
			},
			["file"],
		);
		if (positionals.length === 0) throw new UsageError("name a file to convert");
		const names = formats.map(({ name }) => name);
		const from = formats.find(({ name }) => name === values.from) ?? null;
		if (values.from !== undefined && from === null)
			throw new UsageError(`--from is one of ${names.join(", ")}`);
		const groups = readGroups(positionals, from, io);
		const result = groups === null ? null : convertGroups(groups, io);
		if (result === null) return exit.failure;
		const { files, findings, proof } = result;
		if (values.out !== undefined) {
			const problem = writeAll(values.out, files);
			if (problem !== null) {
				io.error(`portward: ${escapeForTerminal(problem)}\n`);
				return exit.failure;
			}
		}
		if (values.json) {
			io.out(prettyJson({ policies: files.map(({ document }) => document), report: findings, proof }));
		} else {
			if (values.out === undefined) io.out(files.map(({ text }) => text).join("---\n"));
			for (const { file, line, column, kind, message } of findings) {
				const what = kind === "lost" ? "no counterpart" : "note";
				io.error(`${escapeForTerminal(`${file}:${line}:${column}: ${what}: ${message}`)}\n`);
			}
			for (const line of describeProof(proof)) io.error(`portward: ${escapeForTerminal(line)}\n`);
		}
		const differs = proof !== null && !proof.equal;
		return differs || findings.some(({ kind }) => kind === "lost") ? exit.changes : exit.ok;
	},
};

interface Group {
	readonly format: Format;
	readonly sources: SourceText[];
}

/** The files by their formats, or null where one cannot be read or told. */
function readGroups(paths: readonly string[], from: Format | null, io: Io): readonly Group[] | null {
	const groups = new Map<string, Group>();
	let failed = false;
	for (const path of paths) {
		const text = readFile(path);
		const format = text instanceof Error ? null : (from ?? formatOf(text));
		if (text instanceof Error || format === null) {
			failed = true;
			const message = text instanceof Error ? text.message : unknownFormat(text);
			io.error(`${escapeForTerminal(`portward: ${path}: ${message}`)}\n`);
			continue;
		}
		const group = groups.get(format.name) ?? { format, sources: [] };
		groups.set(format.name, group);
		group.sources.push({ file: path, text });
	}
	return failed ? null : [...groups.values()];
}

function unknownFormat(text: string): string {
	if (/^table (?:inet|ip6?) \S+ \{/mu.test(text))
		return "this is nft's own language: give what nft -j list ruleset prints";
	return "nothing here can be converted as it stands; say with --from what it is";
}

interface Result {
	readonly files: readonly { readonly name: string; readonly text: string; readonly document: object }[];
	readonly findings: readonly Finding[];
	/** Null where no source has an order. */
	readonly proof: Proof | null;
}

function convertGroups(groups: readonly Group[], io: Io): Result | null {
	const converted = groups.map(({ format, sources }) => convertAll(format, sources));
	const problems = converted.flatMap((one) => (one.ok ? [] : one.problems));
	for (const { file, line, column, message } of problems)
		io.error(`${escapeForTerminal(`${file}:${line}:${column}: error: ${message}`)}\n`);
	if (problems.length > 0) return null;
	const conversions = converted.flatMap((one) => (one.ok ? one.conversions : []));
	const files = conversions.flatMap(({ policies }) =>
		policies.map((policy) => ({
			name: `${policy.document.metadata.name}.yaml`,
			text: policyText(policy),
			document: policy.document,
		})),
	);
	return { files, findings: conversions.flatMap(({ findings }) => findings), proof: proveOrder(conversions) };
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
