/**
 * A compiled Bun executable obeys environment variables that turn it into
 * something else: BUN_OPTIONS preloads code, BUN_BE_BUN makes it the Bun
 * command line, the BUN_INSPECT family opens a debugger. A daemon that runs as
 * root must not. Bun has no switch for it, so their names are made unmatchable
 * in the file.
 */

export const obeyedVariables = [
	"BUN_OPTIONS",
	"BUN_BE_BUN",
	"BUN_INSPECT",
	"BUN_INSPECT_CONNECT_TO",
	"BUN_INSPECT_PRELOAD",
] as const;

/** Where `needle` starts in `bytes`, every time. */
function occurrences(bytes: Buffer, needle: Buffer): number[] {
	const found: number[] = [];
	for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1)) found.push(at);
	return found;
}

/**
 * The executable with each name replaced by one that no environment can hold:
 * a variable's name cannot contain `=`. Each must stand in the file exactly
 * once as a NUL-terminated string of its own, or a new Bun reads them another
 * way and the build has to be looked at.
 */
export function disarm(
	executable: Uint8Array,
): { ok: true; bytes: Uint8Array } | { ok: false; error: string } {
	const bytes = Buffer.from(executable);
	for (const name of obeyedVariables) {
		const found = occurrences(bytes, Buffer.from(`${name}\0`, "latin1"));
		const at = found[0];
		if (at === undefined || found.length !== 1) {
			return { ok: false, error: `${name} occurs ${found.length} times in Bun's executable, expected once` };
		}
		bytes.write("=".repeat(name.length), at, "latin1");
	}
	return { ok: true, bytes };
}
