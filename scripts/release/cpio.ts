/** Archives in cpio's "new ASCII" format, which are the payload of RPM: cpio(5). */

import type { Entry } from "./entry.ts";
import type { Piece } from "./gzip.ts";

const fileType = 0o100000;
const directoryType = 0o040000;

/** What the file's kind and permissions are together: inode(7). */
export function modeOf({ mode, content }: Entry): number {
	return mode | (content === undefined ? directoryType : fileType);
}

function header(
	inode: number,
	mode: number,
	links: number,
	date: number,
	size: number,
	name: string,
): Buffer {
	const fields = [inode, mode, 0, 0, links, date, size, 0, 0, 0, 0, name.length + 1, 0];
	const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
	return Buffer.from(head.padEnd((head.length + 3) & ~3, "\0"), "latin1");
}

/** The entries in their order, root's, with the numbers 1, 2, ... as inodes. @param date seconds since 1970 */
export function cpio(entries: readonly Entry[], date: number): Piece[] {
	const pieces = entries.flatMap((entry, at): Piece[] => {
		const size = entry.content?.bytes.length ?? 0;
		const links = entry.content === undefined ? 2 : 1;
		const head = { bytes: header(at + 1, modeOf(entry), links, date, size, `.${entry.path}`) };
		if (entry.content === undefined || size === 0) return [head];
		return [head, entry.content, { bytes: Buffer.alloc(-size & 3) }];
	});
	return [...pieces, { bytes: header(0, 0, 1, 0, 0, "TRAILER!!!") }];
}
