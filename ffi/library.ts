/**
 * Opens system libraries by absolute path. A bare name is never handed to the
 * loader: where ld.so does not find one, Bun tries the working directory next
 * and would run a stranger's constructors as root.
 */

import { dlopen, type FFIFunction, type Library } from "bun:ffi";
import { existsSync } from "node:fs";

export interface LibrarySpec {
	/** File names to look for, the preferred first, such as "libnftables.so.1". */
	readonly fileNames: readonly string[];
	/** What to tell somebody who does not have it: one sentence with package names per distribution. */
	readonly remedy: string;
	/** Directories to search; those of this architecture when absent. Absolute paths only. */
	readonly directories?: readonly string[];
}

export interface LibraryFailure {
	readonly ok: false;
	/** The absolute paths that were looked at. */
	readonly tried: readonly string[];
	/** What went wrong, with the loader's own words where it had any. */
	readonly reason: string;
	/** What to do about it. */
	readonly remedy: string;
}

export type LibraryResult<Functions extends Record<string, FFIFunction>> =
	| { readonly ok: true; readonly symbols: Library<Functions>["symbols"]; readonly path: string }
	| LibraryFailure;

/** Where Debian (multiarch), Fedora (lib64) and Alpine or Arch (lib) keep the libraries of a machine. */
export function libraryDirectories(architecture: string): readonly string[] {
	const triplets: Readonly<Record<string, string>> = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };
	const triplet = triplets[architecture];
	const multiarch = triplet === undefined ? [] : [`/usr/lib/${triplet}`, `/lib/${triplet}`];
	return [...multiarch, "/usr/lib64", "/lib64", "/usr/lib", "/lib"];
}

/** Every path at which the library may be, in the order in which they are tried. */
export function candidatePaths(spec: LibrarySpec, architecture: string): readonly string[] {
	const directories = (spec.directories ?? libraryDirectories(architecture)).filter((directory) =>
		directory.startsWith("/"),
	);
	return spec.fileNames.flatMap((name) => directories.map((directory) => `${directory}/${name}`));
}

/**
 * Opens the first candidate that exists and has every symbol. The library stays
 * loaded for the life of the process: unloading code that a thread may still be
 * in cannot be made safe.
 */
export function openLibrary<const Functions extends Record<string, FFIFunction>>(
	spec: LibrarySpec,
	functions: Functions,
): LibraryResult<Functions> {
	const tried = candidatePaths(spec, process.arch);
	const failures: string[] = [];
	for (const path of tried) {
		if (!existsSync(path)) continue;
		try {
			return { ok: true, symbols: dlopen(path, functions).symbols, path };
		} catch (error) {
			failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	const reason =
		failures.length > 0
			? failures.join("; ")
			: `${spec.fileNames.join(" or ")} is in none of the directories that this system keeps libraries in`;
	return { ok: false, tried, reason, remedy: noRoom.test(reason) ? roomRemedy : spec.remedy };
}

/** What the loader and the runtime say where a library is there and has no room: its code goes into memory of its own. */
const noRoom = /requires the JIT|failed to map segment|annot allocate memory|out of memory/i;
const roomRemedy =
	"the library is there, but this process may not have the memory for it: raise the limit of its address space " +
	"(ulimit -v, LimitAS= of the unit), and let it make memory executable (MemoryDenyWriteExecute=no)";

/**
 * FFI wraps integers silently (300 becomes 44 as u8), so every integer that is
 * not a constant passes through here first.
 * @throws RangeError for a bug in the caller.
 */
export function checkedInteger(value: number, low: number, high: number, name: string): number {
	if (!Number.isInteger(value) || value < low || value > high) {
		throw new RangeError(`${name} must be an integer in ${low}..${high}, not ${value}`);
	}
	return value;
}
