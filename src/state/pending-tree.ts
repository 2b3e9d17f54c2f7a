/** Copies of policy directories: what the reader of policies would read, and nothing else. */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { manifestFile, signatureFile } from "../source/manifest.ts";
import { PolicyDirectoryReader } from "../source/policy-directory.ts";
import { isPolicyFile } from "../source/policy-walk.ts";
import type { FileOperations } from "./pending-files.ts";

/** Bytes of all policies of a set together, and of all lists. */
export const maxTreeBytes = 256 * 1024 * 1024;

/** Files that are written at once. */
const parallel = 32;

/** With more files than that, the disk takes them faster all at once, though with what others have written there. */
const fewFiles = 100;

const directoryMode = 0o755;
const fileMode = 0o644;

export interface TreeFile {
	/** Relative, with `/`. */
	readonly path: string;
	readonly bytes: Uint8Array;
}

export type TreeRead =
	| { readonly ok: true; readonly files: readonly TreeFile[]; readonly digest: string }
	| { readonly ok: false; readonly problems: readonly string[] };

/** Reads a set of policies whole. Every file that cannot be read, or must not be trusted, is a problem. */
export function readTree(directory: string, options: { readonly checkPermissions: boolean }): TreeRead {
	const read = new PolicyDirectoryReader(directory, options).read();
	if (read.problem !== null) {
		return { ok: false, problems: [`${directory}: ${read.problem.message}; ${read.problem.hint}`] };
	}
	const problems: string[] = [];
	const files: TreeFile[] = [];
	let total = 0;
	for (const { path, text, problem } of read.files) {
		if (problem !== null) problems.push(`${join(directory, path)}: ${problem.message}; ${problem.hint}`);
		if (text === null) continue;
		const bytes = Buffer.from(text);
		total += bytes.length;
		files.push({ path, bytes });
	}
	const { manifest, signature } = read.signed;
	if (manifest !== null) files.push({ path: manifestFile, bytes: manifest });
	if (signature !== null) files.push({ path: signatureFile, bytes: signature });
	if (total > maxTreeBytes)
		problems.push(`${directory}: the policies have ${total} bytes; a change may have ${maxTreeBytes}`);
	return problems.length > 0 ? { ok: false, problems } : { ok: true, files, digest: treeDigest(files) };
}

/** SHA-256 over names and contents, in hexadecimal; the same for the same set, wherever it lies. */
export function treeDigest(files: readonly TreeFile[]): string {
	const lines = files.map(({ path, bytes }) =>
		JSON.stringify([path, createHash("sha256").update(bytes).digest("hex")]),
	);
	return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}

/** Writes a set below `target`, to the disk. Rejects with the system's error. */
export async function writeTree(
	target: string,
	files: readonly TreeFile[],
	operations: FileOperations,
): Promise<void> {
	const directories = new Set([target]);
	for (const { path } of files) {
		for (let above = dirname(path); above !== "."; above = dirname(above))
			directories.add(join(target, above));
	}
	for (const directory of [...directories].sort()) await operations.makeDirectory(directory, directoryMode);
	const few = files.length <= fewFiles;
	for (let next = 0; next < files.length; next += parallel) {
		const chunk = files.slice(next, next + parallel);
		await Promise.all(
			chunk.map(({ path, bytes }) => operations.writeFile(join(target, path), bytes, fileMode, few)),
		);
	}
	if (!few) await operations.syncFileSystem(target);
	else for (const directory of directories) await operations.syncDirectory(directory);
}

/** Whether an entry of that name belongs to a set of policies: a policy file, or what signs the set. */
export function isPolicyContent(name: string): boolean {
	if (name === manifestFile || name === signatureFile) return true;
	return !name.startsWith(".") && isPolicyFile(name);
}

/** Reads what `writeTree` wrote: regular files alone, other hidden ones left out. Rejects with the system's error. */
export async function readCopy(directory: string): Promise<readonly TreeFile[]> {
	const files: TreeFile[] = [];
	const walk = async (prefix: string): Promise<void> => {
		for (const entry of await readdir(join(directory, prefix), { withFileTypes: true })) {
			if (entry.name.startsWith(".") && !isPolicyContent(entry.name)) continue;
			const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
			if (entry.isDirectory()) await walk(path);
			else if (entry.isFile()) files.push({ path, bytes: await readFile(join(directory, path)) });
		}
	};
	await walk("");
	return files;
}
