/** Archives in the ustar format: POSIX.1-2017, pax, "ustar Interchange Format". */

import { byPath, type Entry } from "./entry.ts";
import type { Piece } from "./gzip.ts";

const block = 512;

function header(entry: Entry, path: string, date: number): Buffer {
	const head = Buffer.alloc(block);
	if (Buffer.byteLength(path) > 100) throw new Error(`the name is too long for the archive: ${path}`);
	const octal = (value: number, at: number, width: number): void => {
		head.write(value.toString(8).padStart(width - 1, "0"), at, "latin1");
	};
	head.write(path, 0, "latin1");
	octal(entry.mode, 100, 8);
	octal(0, 108, 8);
	octal(0, 116, 8);
	octal(entry.content?.bytes.length ?? 0, 124, 12);
	octal(date, 136, 12);
	// The sum counts its own field as blanks.
	head.write(" ".repeat(8), 148, "latin1");
	head.write(entry.content === undefined ? "5" : "0", 156, "latin1");
	head.write("ustar\x0000", 257, "latin1");
	head.write("root", 265, "latin1");
	head.write("root", 297, "latin1");
	let sum = 0;
	for (const byte of head) sum += byte;
	head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return head;
}

/** Directories that lead to the entries and are none themselves. */
function parents(entries: readonly Entry[]): Entry[] {
	const known = new Set(entries.map(({ path }) => path));
	const found = new Map<string, Entry>();
	for (const { path } of entries) {
		for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
			const above = path.slice(0, at);
			if (!known.has(above)) found.set(above, { path: above, mode: 0o755 });
		}
	}
	return [...found.values()];
}

/**
 * The entries as an archive whose names begin with "./", with the directories above them, all root's.
 * @param date seconds since 1970. Throws for a name of more than 98 bytes.
 */
export function tar(entries: readonly Entry[], date: number): Piece[] {
	const sorted = [...parents(entries), ...entries].sort(byPath);
	const pieces: Piece[] = [{ bytes: header({ path: "/", mode: 0o755 }, "./", date) }];
	for (const entry of sorted) {
		const name = `.${entry.path}${entry.content === undefined ? "/" : ""}`;
		pieces.push({ bytes: header(entry, name, date) });
		if (entry.content === undefined || entry.content.bytes.length === 0) continue;
		pieces.push(entry.content, { bytes: Buffer.alloc(-entry.content.bytes.length & (block - 1)) });
	}
	pieces.push({ bytes: Buffer.alloc(2 * block) });
	return pieces;
}
