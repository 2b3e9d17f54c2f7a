/** gzip whose output depends on its input alone, and archives of which a part was compressed before. */

import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A gzip member of `bytes`; without a name or a time in it, so that the same bytes give the same bytes. */
export async function compress(bytes: Buffer): Promise<Buffer> {
	const packed = await promisify(gzip)(bytes, { level: 9 });
	// The byte that names the operating system differs between versions of zlib: RFC 1952, 2.3.1.
	packed[9] = 255;
	return packed;
}

/** A stretch of an archive. */
export interface Piece {
	readonly bytes: Buffer;
	/** The same, as a gzip member, where somebody has it already. */
	readonly packed?: Buffer;
}

/**
 * The pieces one after another, compressed. What was compressed before becomes a member of its own: RFC 1952, 2.2,
 * has members follow each other, and zlib's gzread, by which dpkg, apt and rpm read, goes on from one to the next.
 * So an executable, which takes longer to compress than all else takes together, is compressed once for a release.
 */
export async function compressPieces(pieces: readonly Piece[]): Promise<Buffer> {
	const members: Buffer[] = [];
	let plain: Buffer[] = [];
	const flush = async (): Promise<void> => {
		if (plain.length > 0) members.push(await compress(Buffer.concat(plain)));
		plain = [];
	};
	for (const { bytes, packed } of pieces) {
		if (packed === undefined) {
			plain.push(bytes);
			continue;
		}
		await flush();
		members.push(packed);
	}
	await flush();
	return Buffer.concat(members);
}
