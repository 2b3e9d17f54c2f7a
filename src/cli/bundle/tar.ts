/** A tar archive (POSIX.1-1988 ustar) of small files, written from memory. Pure. */

export interface TarEntry {
	/** Relative, ASCII, at most 100 bytes. */
	readonly name: string;
	readonly data: Uint8Array;
}

const block = 512;
const longestName = 100;

/** Zeros up to the next block. */
function padding(bytes: number): Uint8Array {
	return new Uint8Array((block - (bytes % block)) % block);
}

function octal(value: number, width: number): string {
	return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

/** @throws TypeError for a name that the format has no room for, a bug of the caller. */
function header({ name, data }: TarEntry, seconds: number): Uint8Array {
	if (!/^[\w.-][\w./-]*$/.test(name) || name.length > longestName || name.split("/").includes(".."))
		throw new TypeError(`no name for an entry: ${JSON.stringify(name)}`);
	const bytes = new Uint8Array(block);
	const put = (offset: number, text: string) => bytes.set(Buffer.from(text, "latin1"), offset);
	put(0, name);
	put(100, octal(0o600, 8));
	put(108, octal(0, 8));
	put(116, octal(0, 8));
	put(124, octal(data.length, 12));
	put(136, octal(seconds, 12));
	// The sum is taken with its own field full of spaces.
	put(148, " ".repeat(8));
	put(156, "0");
	put(257, "ustar\x0000");
	put(265, "root");
	put(297, "root");
	const sum = bytes.reduce((all, byte) => all + byte, 0);
	put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
	return bytes;
}

/** @param time milliseconds since the epoch, of all entries; they are root's, mode 0600 */
export function tarball(entries: readonly TarEntry[], time: number): Uint8Array {
	const seconds = Math.max(0, Math.floor(time / 1000));
	const parts = entries.flatMap((entry) => [header(entry, seconds), entry.data, padding(entry.data.length)]);
	return Buffer.concat([...parts, new Uint8Array(2 * block)]);
}
