/** `portward policy sign`: puts a manifest of a policy directory and its signature into it. Works offline. */

import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { listLimits } from "../../base/cidr-list.ts";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { hasError } from "../../base/diagnostic.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { findDuplicateNames } from "../../engine/collection.ts";
import { linkAlone, signedFeeds } from "../../engine/groups/groups.ts";
import { parsePolicyFile } from "../../engine/parse.ts";
import { readFeedFile } from "../../source/feed-file.ts";
import { type ManifestFile, manifestFile, parseManifest, signatureFile } from "../../source/manifest.ts";
import { type PolicyDirectory, PolicyDirectoryReader } from "../../source/policy-directory.ts";
import { signManifest } from "../../source/policy-signature.ts";
import { replaceFiles } from "../../source/replace-files.ts";
import { parsePrivateKey, publicText } from "../../source/signing-key.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { plural, printDiagnostics } from "../diagnostics.ts";
import { parseOptions } from "../options.ts";
import { jsonOption } from "../outcome.ts";
import { readSmallFile } from "./small-file.ts";

export async function policySign(args: readonly string[], io: Io): Promise<number> {
	const { values, positionals } = parseOptions(
		args,
		{
			key: { type: "string" },
			serial: { type: "string" },
			force: { type: "boolean" },
			...jsonOption,
		},
		["directory"],
	);
	const [directory, ...more] = positionals;
	if (directory === undefined || more.length > 0) throw new UsageError("name one policy directory to sign");
	if (values.key === undefined) throw new UsageError("name the private key: --key FILE");
	const wanted = values.serial === undefined ? null : parseSerial(values.serial);
	const fail = (message: string) => {
		io.error(`portward: ${escapeForTerminal(message)}\n`);
		return exit.failure;
	};
	const pem = readSmallFile(values.key);
	if (!pem.ok) return fail(pem.message);
	const key = parsePrivateKey(pem.text);
	if (!key.ok) return fail(`${values.key}: ${key.message}`);
	if ((pem.mode & 0o077) !== 0) {
		const mode = (pem.mode & 0o7777).toString(8).padStart(4, "0");
		return fail(`${values.key} can be read by others than its owner (mode ${mode}): run chmod 600 on it`);
	}
	const read = new PolicyDirectoryReader(directory, { checkPermissions: false }).read();
	const diagnostics = check(directory, read);
	printDiagnostics(diagnostics, io);
	const feeds = readFeeds(directory, read, io);
	if (feeds === null) return fail("nothing is signed: what cannot be read cannot be signed");
	const files = read.files.flatMap(({ path, sha256 }) => (sha256 === null ? [] : [{ path, sha256 }]));
	if (read.problem !== null || files.length !== read.files.length)
		return fail("nothing is signed: what cannot be read cannot be signed");
	if (hasError(diagnostics) && values.force !== true)
		return fail("nothing is signed: correct the errors, or write --force");
	const previous = previousSerial(read);
	if (!previous.ok && wanted === null)
		return fail(`nothing is signed: ${previous.message}; say which serial: --serial N`);
	const serial = wanted ?? (previous.ok ? previous.serial + 1 : 1);
	if (!Number.isSafeInteger(serial)) return fail("nothing is signed: there is no higher serial");
	const created = new Date().toISOString();
	const signed = signManifest({ serial, created, files, feeds }, key.key);
	const error = replaceFiles(directory, [
		{ name: manifestFile, bytes: signed.manifest },
		{ name: signatureFile, bytes: signed.signature },
	]);
	if (error !== null) return fail(`the signature cannot be written: ${error}`);
	if (previous.ok && serial <= previous.serial)
		io.error(`portward: hosts that enforced serial ${previous.serial} will refuse serial ${serial}\n`);
	const publicKey = publicText(key.key);
	io.values?.add({ publicKey, serial, files: files.length });
	const lists = feeds.length === 0 ? "" : ` and ${plural(feeds.length, "list")} of groups`;
	io.out(`signed ${plural(files.length, "file")}${lists} as serial ${serial} with ${publicKey}\n`);
	return exit.ok;
}

/** The files of groups that hosts take only as they were signed; null where one cannot be read, which is told. */
function readFeeds(directory: string, { files }: PolicyDirectory, io: Io): readonly ManifestFile[] | null {
	const documents = files.flatMap(({ path, text }) =>
		text === null ? [] : parsePolicyFile(path, text, { ignoreUnknownKinds: true }).documents,
	);
	const found = new Map<string, ManifestFile>();
	let whole = true;
	for (const { path, place } of signedFeeds(documents)) {
		const read = readFeedFile(resolve(directory, path), null, {
			checkPermissions: false,
			limit: listLimits.bytes,
		});
		if (read.state === "read") found.set(path, { path, sha256: read.sha256 });
		else {
			whole = false;
			const message = read.state === "failed" ? read.problem.message : "it cannot be read";
			const at = { ...place, file: join(directory, place.file), path: "spec.file" };
			const hint = "put the list there, or write unsigned: true in the group";
			printDiagnostics([{ ...at, severity: "error", code: "unreadable-file", message, hint }], io);
		}
	}
	return whole ? [...found.values()] : null;
}

function parseSerial(text: string): number {
	const serial = /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : Number.NaN;
	if (!Number.isSafeInteger(serial)) throw new UsageError("--serial is a whole number from 1 to 2^53-1");
	return serial;
}

/**
 * What a host would find wrong with the policies, of the very bytes that are signed. Whether
 * documents of other products are passed over is for the settings of the host to say.
 */
function check(directory: string, read: PolicyDirectory): Diagnostic[] {
	const place = (file: string) => ({ file, line: 1, column: 1, path: "", severity: "error" as const });
	if (read.problem !== null) return [{ ...place(directory), ...read.problem }];
	const documents = [];
	const diagnostics: Diagnostic[] = [];
	for (const { path, text, sha256, problem } of read.files) {
		const file = join(directory, path);
		if (problem !== null) diagnostics.push({ ...place(file), ...problem });
		if (text === null) continue;
		if (createHash("sha256").update(text).digest("hex") !== sha256) {
			const message = "the file is not UTF-8";
			diagnostics.push({ ...place(file), code: "bad-encoding", message, hint: "save it as UTF-8" });
		}
		documents.push(...parsePolicyFile(file, text, { ignoreUnknownKinds: true }).documents);
	}
	const duplicates = findDuplicateNames(documents).values();
	const linked = linkAlone(documents, diagnostics);
	return [...diagnostics, ...linked.flatMap((document) => document.diagnostics), ...duplicates];
}

/** The serial of the manifest that lies there, 0 without one. Its signature does not matter. */
function previousSerial({
	signed,
}: PolicyDirectory): { ok: true; serial: number } | { ok: false; message: string } {
	if (signed.manifest === null) return { ok: true, serial: 0 };
	const parsed = parseManifest(Buffer.from(signed.manifest).toString("utf8"));
	return parsed.ok
		? { ok: true, serial: parsed.manifest.serial }
		: { ok: false, message: `${manifestFile} cannot be used: ${parsed.message}` };
}
