import { expect, test } from "bun:test";
import fc from "fast-check";
import { ProtoWriter, readFirstField } from "../../../src/report/formats/protobuf.ts";

const read = (...bytes: number[]) => readFirstField(Uint8Array.from(bytes));

test("numbers as the documentation has them", () => {
	expect([...new ProtoWriter().int(1, 150).bytes()]).toEqual([0x08, 0x96, 0x01]);
	expect([...new ProtoWriter().int(1, -1).bytes()]).toEqual([
		8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
	]);
	expect([...new ProtoWriter().text(2, "testing").bytes()]).toEqual([
		0x12, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67,
	]);
	expect(new ProtoWriter().int(1, 0).text(2, "").map(3, {}).bytes()).toHaveLength(0);
});

test("what is written is read, whatever comes beside it", () => {
	fc.assert(
		fc.property(fc.integer(), fc.string({ unit: "grapheme" }), (number, text) => {
			const others = new ProtoWriter().text(7, text).int(9, number).map(3, { a: text });
			const own = (written: ProtoWriter) => Buffer.concat([others.bytes(), written.bytes(), others.bytes()]);
			expect(readFirstField(own(new ProtoWriter().int(1, number)))?.number).toBe(number);
			expect(readFirstField(own(new ProtoWriter().text(1, text)))?.text).toBe(text);
		}),
	);
});

test("the last one counts, and nothing is an empty message", () => {
	expect(read()).toEqual({ number: 0, text: "" });
	expect(read(8, 1, 8, 2)).toEqual({ number: 2, text: "" });
	// Of a field of more bits an int32 takes the lower ones.
	expect(read(8, 0xff, 0xff, 0xff, 0xff, 0x0f)?.number).toBe(-1);
	expect(read(0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 8, 7)?.number).toBe(7);
});

test.each([
	["a tag without a value", [8]],
	["a number without an end", [8, 0x80]],
	["a number of eleven bytes", [8, ...Array.from({ length: 11 }, () => 0x80), 1]],
	["a text that is longer than the message", [10, 5, 65]],
	["a text of 2^63 bytes", [10, 255, 255, 255, 255, 255, 255, 255, 255, 127, 65]],
	["eight bytes of which seven are there", [9, 1, 2, 3, 4, 5, 6, 7]],
	["four bytes of which none is there", [13]],
	["a group", [11, 12]],
])("%s is no message", (_, bytes) => {
	expect(read(...bytes)).toBeNull();
});

test("any bytes end in a message or in none", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
			const found = readFirstField(bytes);
			expect(found === null || Number.isInteger(found.number)).toBe(true);
		}),
	);
});
