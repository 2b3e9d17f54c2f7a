/** Looks into a sealed executable: see scripts/seal.ts. */

import { entryCode } from "../../scripts/seal.ts";

/** Where the loaded segment that contains `address` has it in the file. */
function offsetOf(bytes: Buffer, address: bigint): number {
	for (let index = 0; index < bytes.readUInt16LE(56); index++) {
		const header = 64 + 56 * index;
		const start = bytes.readBigUInt64LE(header + 16);
		if (bytes.readUInt32LE(header) !== 1 || address < start) continue;
		if (address < start + bytes.readBigUInt64LE(header + 32)) {
			return Number(bytes.readBigUInt64LE(header + 8) + address - start);
		}
	}
	throw new Error(`no segment holds ${address}`);
}

/** What the entry code compares with: offsets in the file, and the runtime's own entry point. */
export function sealOf(bytes: Buffer) {
	const code = entryCode.get(bytes.readUInt16LE(18))?.code.length ?? 0;
	const start = bytes.readBigUInt64LE(24);
	const at = offsetOf(bytes, start) + code;
	const word = (index: number) => bytes.readBigUInt64LE(at + 8 * index);
	return {
		/** Where the words begin, in the file and in memory. */
		table: { offset: at, address: start + BigInt(code) },
		pointer: offsetOf(bytes, word(0)),
		program: offsetOf(bytes, word(1)),
		words: Number(word(3)),
		entry: word(6),
	};
}

/** The same executable without the code before its entry point, which shows what that is for. */
export function withoutEntryCode(bytes: Buffer): Buffer {
	const bare = Buffer.from(bytes);
	bare.writeBigUInt64LE(sealOf(bytes).entry, 24);
	return bare;
}
