/** The header structure of RPM: https://rpm-software-management.github.io/rpm/manual/format_v4.html */

const types = { int16: 3, int32: 4, string: 6, binary: 7, strings: 8, translated: 9 } as const;

export type RpmValue =
	| { readonly type: "int16" | "int32"; readonly value: readonly number[] }
	| { readonly type: "string"; readonly value: string }
	| { readonly type: "binary"; readonly value: Buffer }
	| { readonly type: "strings" | "translated"; readonly value: readonly string[] };

const magic = Buffer.from([0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0]);
const entrySize = 16;

function encode(item: RpmValue): { bytes: Buffer; count: number; align: number } {
	switch (item.type) {
		case "int16": {
			const bytes = Buffer.alloc(2 * item.value.length);
			item.value.forEach((value, at) => void bytes.writeUInt16BE(value, 2 * at));
			return { bytes, count: item.value.length, align: 2 };
		}
		case "int32": {
			const bytes = Buffer.alloc(4 * item.value.length);
			item.value.forEach((value, at) => void bytes.writeUInt32BE(value, 4 * at));
			return { bytes, count: item.value.length, align: 4 };
		}
		case "string":
			return { bytes: Buffer.from(`${item.value}\0`), count: 1, align: 1 };
		case "binary":
			return { bytes: item.value, count: item.value.length, align: 1 };
		default: {
			const bytes = Buffer.from(item.value.map((text) => `${text}\0`).join(""));
			return { bytes, count: item.value.length, align: 1 };
		}
	}
}

function indexEntry(tag: number, type: number, offset: number, count: number): Buffer {
	const entry = Buffer.alloc(entrySize);
	entry.writeUInt32BE(tag, 0);
	entry.writeUInt32BE(type, 4);
	entry.writeInt32BE(offset, 8);
	entry.writeUInt32BE(count, 12);
	return entry;
}

/**
 * The header, with its magic, in one immutable region.
 * @param region the region's tag: 62 for signatures, 63 for all else
 */
export function rpmHeader(region: number, items: ReadonlyMap<number, RpmValue>): Buffer {
	const index: Buffer[] = [];
	const data: Buffer[] = [];
	let offset = 0;
	for (const [tag, item] of [...items].sort(([a], [b]) => a - b)) {
		const { bytes, count, align } = encode(item);
		// What has no values is left out: rpm refuses an entry without any.
		if (count === 0) continue;
		const padding = -offset & (align - 1);
		data.push(Buffer.alloc(padding), bytes);
		offset += padding;
		index.push(indexEntry(tag, types[item.type], offset, count));
		offset += bytes.length;
	}
	// The region's trailer lies behind the data and says, as an offset back, how long the index is.
	const entries = index.length + 1;
	data.push(indexEntry(region, types.binary, -entrySize * entries, entrySize));
	const sizes = Buffer.alloc(8);
	sizes.writeUInt32BE(entries, 0);
	sizes.writeUInt32BE(offset + entrySize, 4);
	return Buffer.concat([
		magic,
		sizes,
		indexEntry(region, types.binary, offset, entrySize),
		...index,
		...data,
	]);
}
