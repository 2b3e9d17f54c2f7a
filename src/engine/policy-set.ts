/** Reads policies for the offline commands: validate, render and explain. */

import { statSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import { matchSelector, nodeLabels } from "../document/labels.ts";
import { asideOf, isBroken, type ParsedDocument } from "../document/parse.ts";
import { type NetworkPolicy, networkPart } from "../enforcers/network/model.ts";
import { policyTestKind } from "../enforcers/network/parse/kinds.ts";
import type { PolicyTest } from "../enforcers/network/parse/test-model.ts";
import { devicePart, type HostDevicePolicy } from "../enforcers/usb/model.ts";
import { readBounded } from "../source/bounded-file.ts";
import { maxFileBytes, PolicyDirectoryReader } from "../source/policy-directory.ts";
import { findDuplicateNames } from "./collection.ts";
import { parsePolicyFile } from "./parse.ts";

/** Milliseconds that a pipe may be silent. */
const patienceMs = 10_000;

export interface PolicySet {
	/** Every valid policy, selected or not. */
	readonly policies: readonly NetworkPolicy[];
	/** Those that this host's labels select. */
	readonly selected: readonly NetworkPolicy[];
	/** The same of device policies. */
	readonly devicePolicies: readonly HostDevicePolicy[];
	readonly selectedDevices: readonly HostDevicePolicy[];
	/** Test cases for policies. */
	readonly tests: readonly PolicyTest[];
	readonly diagnostics: readonly Diagnostic[];
	/** A path as a whole could not be read, so that nothing is known of its policies. */
	readonly unread: boolean;
}

/** Reads files and directories; permissions are not checked, since nothing is enforced. */
export function readPolicySet(paths: readonly string[], config: Config): PolicySet {
	const diagnostics: Diagnostic[] = [];
	const documents: ParsedDocument[] = [];
	const seen = new Set<string>();
	let unread = false;
	for (const path of paths) {
		for (const { file, text, problem } of readPath(path)) {
			// A file that is named twice, or beside its directory, is no duplicate of itself.
			if (seen.has(resolve(file))) continue;
			seen.add(resolve(file));
			if (problem && file === path) unread = true;
			if (problem) diagnostics.push({ file, line: 1, column: 1, path: "", severity: "error", ...problem });
			else documents.push(...parsePolicyFile(file, text, config).documents);
		}
	}
	const duplicates = findDuplicateNames(documents);
	const labels = nodeLabels(config.nodeLabels, { hostname: hostname(), arch: process.arch });
	const policies: NetworkPolicy[] = [];
	const selected: NetworkPolicy[] = [];
	const devicePolicies: HostDevicePolicy[] = [];
	const selectedDevices: HostDevicePolicy[] = [];
	const tests: PolicyTest[] = [];
	for (const document of documents) {
		tests.push(...asideOf(policyTestKind, document));
		diagnostics.push(...document.diagnostics);
		const duplicate = duplicates.get(document);
		if (duplicate) diagnostics.push(duplicate);
		const { policy } = document;
		if (policy === null || isBroken(document)) continue;
		const selection = matchSelector(policy.nodeSelector, labels);
		diagnostics.push(...selection.diagnostics);
		if (duplicate) continue;
		const network = networkPart.of([policy]);
		const devices = devicePart.of([policy]);
		policies.push(...network);
		devicePolicies.push(...devices);
		if (!selection.selected) continue;
		selected.push(...network);
		selectedDevices.push(...devices);
	}
	return { policies, selected, devicePolicies, selectedDevices, tests, diagnostics, unread };
}

/** "2 of 5 policies do not select this host", or null when all do. */
export function selectionNote({
	policies,
	selected,
	devicePolicies,
	selectedDevices,
}: Selected): string | null {
	const all = policies.length + devicePolicies.length;
	const others = all - selected.length - selectedDevices.length;
	return others === 0 ? null : `${others} of ${all} policies do not select this host`;
}

type Selected = Pick<PolicySet, "policies" | "selected" | "devicePolicies" | "selectedDevices">;

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
