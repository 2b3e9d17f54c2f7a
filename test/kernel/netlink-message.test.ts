import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeTable, MessageCursor, MessageWriter } from "../../src/kernel/netlink-message.ts";

test("what is written is read back", () => {
	const inner = new MessageWriter(0, 0, 0).u32(1, 0xdeadbeef).text(2, "inner").finish().subarray(16);
	const bytes = new MessageWriter(0x0a12, 0x301, 77)
		.familyHeader(1, 0x1234)
		.u8(1, 200)
		.u16(2, 0xabcd)
		.u32(3, 0xfedc_ba98)
		.text(4, "lo")
		.nested(5, inner)
		.attribute(6, [0, 0, 0, 1, 0, 0, 0, 2])
		.finish();
	const cursor = new MessageCursor(bytes);
	expect(cursor.advance()).toBe(true);
	expect({ type: cursor.type, flags: cursor.flags, sequence: cursor.sequence }).toEqual({
		type: 0x0a12,
		flags: 0x301,
		sequence: 77,
	});
	expect(cursor.family()).toBe(1);
	expect([...bytes.subarray(cursor.start, cursor.start + 4)]).toEqual([1, 0, 0x12, 0x34]);
	const table = new AttributeTable(6).read(bytes, cursor.start + 4, cursor.end);
	expect(table.u8(1)).toBe(200);
	expect(table.u16(2)).toBe(0xabcd);
	expect(table.u32(3)).toBe(0xfedc_ba98);
	expect(table.text(4)).toBe("lo");
	expect(table.u64(6)).toBe(0x1_0000_0002);
	expect(table.copy(6)).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2));
	const nested = new AttributeTable(2).readNested(table, 5);
	expect(nested.u32(1)).toBe(0xdeadbeef);
	expect(nested.text(2)).toBe("inner");
	expect(new AttributeTable(2).readNested(table, 0).text(2)).toBeNull();
	expect(cursor.advance()).toBe(false);
});

test("absent and short values are null", () => {
	const bytes = new MessageWriter(1, 0, 0).attribute(1, [7]).attribute(2, []).finish();
	const table = new AttributeTable(3).read(bytes, 16, bytes.length);
	expect([table.u8(1), table.u16(1), table.u32(1), table.u64(1)]).toEqual([7, null, null, null]);
	expect([table.u8(2), table.text(2), table.copy(2)?.length]).toEqual([null, "", 0]);
	expect([table.u8(3), table.text(3), table.copy(3), table.u8(99)]).toEqual([null, null, null, null]);
});

test("several messages follow one another, aligned to four bytes", () => {
	const first = new MessageWriter(1, 0, 1).attribute(1, [1, 2, 3]).finish();
	const second = new MessageWriter(2, 0, 2).finish();
	const cursor = new MessageCursor(Uint8Array.from([...first, ...second, 1, 2, 3]));
	expect([cursor.advance(), cursor.type]).toEqual([true, 1]);
	expect([cursor.advance(), cursor.type]).toEqual([true, 2]);
	expect(cursor.advance()).toBe(false);
});

test("a table is read anew in each message, though the buffer is the same", () => {
	const buffer = new Uint8Array(64);
	buffer.set(new MessageWriter(1, 0, 0).u8(1, 5).finish());
	const table = new AttributeTable(2).read(buffer, 16, 24);
	expect(table.u8(1)).toBe(5);
	buffer.set(new MessageWriter(1, 0, 0).u8(2, 6).finish());
	expect(table.read(buffer, 16, 24).u8(1)).toBeNull();
	expect(table.u8(2)).toBe(6);
	const elsewhere = new Uint8Array(buffer.buffer, 16, 8);
	expect(table.read(elsewhere, 0, 8).u8(2)).toBe(6);
});

test("an error's number is positive, an acknowledgement's zero", () => {
	const error = new MessageWriter(2, 0, 0).finish();
	const withNumber = (number: number): MessageCursor => {
		const bytes = new Uint8Array(20);
		bytes.set(error);
		new DataView(bytes.buffer).setUint32(0, 20, true);
		new DataView(bytes.buffer).setInt32(16, -number, true);
		const cursor = new MessageCursor(bytes);
		cursor.advance();
		return cursor;
	};
	expect(withNumber(13).errorNumber()).toBe(13);
	expect(Math.abs(withNumber(0).errorNumber())).toBe(0);
	const empty = new MessageCursor(error);
	empty.advance();
	expect(empty.errorNumber()).toBe(0);
	expect(empty.family()).toBeNull();
});

test("a value that no attribute can hold is a bug of the caller", () => {
	expect(() => new MessageWriter(1, 0, 0).attribute(1, new Uint8Array(65_532))).toThrow(RangeError);
});

test("no bytes make reading throw, loop for ever or leave the buffer", () => {
	const table = new AttributeTable(20);
	const nested = new AttributeTable(20);
	const headed = fc
		.tuple(fc.nat(80), fc.uint8Array({ maxLength: 80 }))
		.map(([length, rest]) => Uint8Array.from([length, 0, 0, 0, ...rest]));
	fc.assert(
		fc.property(fc.oneof(headed, fc.uint8Array({ maxLength: 200 })), fc.nat(20), (bytes, type) => {
			const cursor = new MessageCursor(bytes);
			let messages = 0;
			while (cursor.advance()) {
				messages++;
				expect(cursor.end).toBeLessThanOrEqual(bytes.length);
				cursor.errorNumber();
				cursor.family();
				table.read(bytes, cursor.start, cursor.end);
				nested.readNested(table, type);
				for (const each of [table, nested]) {
					expect(each.offset(type) + Math.max(0, each.length(type))).toBeLessThanOrEqual(bytes.length);
					each.u8(type);
					each.u16(type);
					each.u32(type);
					each.u64(type);
					each.text(type);
					each.copy(type);
				}
			}
			expect(messages).toBeLessThanOrEqual(bytes.length / 16);
		}),
		{ numRuns: 2000 },
	);
});
