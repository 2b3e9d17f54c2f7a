/** Reads policies for the offline commands: validate, render and explain. */

import { statSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Kinds, Policy } from "../document/kind.ts";
import { matchSelector, nodeLabels } from "../document/labels.ts";
import { isBroken, type ParsedDocument, parseDocuments } from "../document/parse.ts";
import { readBounded } from "../source/bounded-file.ts";
import { maxFileBytes, PolicyDirectoryReader } from "../source/policy-directory.ts";
import { findDuplicateNames } from "./collection.ts";
import { registeredKinds } from "./enforcers.ts";
import { type ListPlaces, linkAlone } from "./groups/groups.ts";

/** Milliseconds that a pipe may be silent. */
const patienceMs = 10_000;

export interface PolicySet {
	/** Every valid policy, selected or not. */
	readonly policies: readonly Policy[];
	/** Those that this host's labels select. */
	readonly selected: readonly Policy[];
	/** What lies beside policies, such as test cases, broken ones included: see asideOf. */
	readonly asides: readonly ParsedDocument[];
	readonly diagnostics: readonly Diagnostic[];
	/** A path as a whole could not be read, so that nothing is known of its policies. */
	readonly unread: boolean;
}

/**
 * Reads files and directories; permissions are not checked, since nothing is enforced.
 * @param lists where the files of groups lie; without it, each beside the file that names it
 */
export function readPolicySet(
	paths: readonly string[],
	config: Config,
	kinds: Kinds = registeredKinds,
	lists?: ListPlaces,
): PolicySet {
	const diagnostics: Diagnostic[] = [];
	const read: ParsedDocument[] = [];
	const seen = new Set<string>();
	let unread = false;
	for (const path of paths) {
		for (const { file, text, problem } of readPath(path)) {
			// A file that is named twice, or beside its directory, is no duplicate of itself.
			if (seen.has(resolve(file))) continue;
			seen.add(resolve(file));
			if (problem && file === path) unread = true;
			if (problem) diagnostics.push({ file, line: 1, column: 1, path: "", severity: "error", ...problem });
			else read.push(...parseDocuments(file, text, kinds, config).documents);
		}
	}
	const documents = linkAlone(read, diagnostics, lists);
	const duplicates = findDuplicateNames(documents);
	const labels = nodeLabels(config.nodeLabels, { hostname: hostname(), arch: process.arch });
	const policies: Policy[] = [];
	const selected: Policy[] = [];
	for (const document of documents) {
		diagnostics.push(...document.diagnostics);
		const duplicate = duplicates.get(document);
		if (duplicate) diagnostics.push(duplicate);
		const { policy } = document;
		if (policy === null || isBroken(document)) continue;
		const selection = matchSelector(policy.nodeSelector, labels);
		diagnostics.push(...selection.diagnostics);
		if (duplicate) continue;
		policies.push(policy);
		if (selection.selected) selected.push(policy);
	}
	return {
		policies,
		selected,
		asides: documents.filter(({ kind }) => kinds.isAside(kind)),
		diagnostics,
		unread,
	};
}

/** Staged policies that are named. */
const mostStaged = 5;

/** "2 of 5 policies do not select this host", and which are staged; null when all do and none is. */
export function selectionNote({
	policies,
	selected,
}: Pick<PolicySet, "policies" | "selected">): string | null {
	const others = policies.length - selected.length;
	const staged = selected.filter((policy) => policy.staged === true).map(({ name }) => name);
	const named = `${staged.slice(0, mostStaged).join(", ")}${staged.length > mostStaged ? " …" : ""}`;
	const notes = [
		...(others === 0 ? [] : [`${others} of ${policies.length} policies do not select this host`]),
		...(staged.length === 0 ? [] : [`${staged.length} staged, so not in force: ${named}`]),
	];
	return notes.length === 0 ? null : notes.join("; ");
}

type ReadFile =
	| { file: string; text: string; problem: null }
	| { file: string; text: ""; problem: { code: string; message: string; hint: string } };

function readPath(path: string): ReadFile[] {
	const failed = (file: string, code: string, message: string, hint: string): ReadFile => ({
		file,
		text: "",
		problem: { code, message, hint },
	});
	try {
		if (!statSync(path).isDirectory()) {
			const read = readBounded(path, { limit: maxFileBytes, patienceMs });
			if (read.ok) return [{ file: path, text: read.text, problem: null }];
			if (read.reason === "too-large") {
				const hint = "split it into several files";
				return [failed(path, "file-too-large", `the file has more than ${maxFileBytes} bytes`, hint)];
			}
			const hint = "name a file, or see to what writes to the pipe";
			return [failed(path, "unreadable-file", "nothing comes through this pipe", hint)];
		}
	} catch (error) {
		return [
			failed(
				path,
				"unreadable-file",
				error instanceof Error ? error.message : String(error),
				"name a file or directory that exists",
			),
		];
	}
	const directory = new PolicyDirectoryReader(path, { checkPermissions: false }).read();
	if (directory.problem) {
		const { code, message, hint } = directory.problem;
		return [failed(path, code, message, hint)];
	}
	return directory.files.map((entry) => {
		const file = join(path, entry.path);
		if (entry.text !== null && entry.problem === null) return { file, text: entry.text, problem: null };
		const { code, message, hint } = entry.problem ?? {
			code: "unreadable-file",
			message: "the file cannot be read",
			hint: "",
		};
		return failed(file, code, message, hint);
	});
}
