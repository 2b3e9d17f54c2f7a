import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeTable, MessageCursor, MessageWriter } from "../../src/kernel/netlink-message.ts";
import {
	bindRequests,
	emptyRecord,
	HIGHEST_ATTRIBUTE,
	type LogRecord,
	PACKET_MESSAGE,
	readRecord,
} from "../../src/kernel/nflog-message.ts";

const INPUT_HOOK = 1;
const OUTPUT_HOOK = 3;

function read(bytes: Uint8Array, record = emptyRecord()): LogRecord {
	const buffer = Buffer.from(bytes);
	const cursor = new MessageCursor(buffer);
	if (cursor.advance()) {
		readRecord(buffer, cursor.start, cursor.end, new AttributeTable(HIGHEST_ATTRIBUTE), record);
	}
	return record;
}

function message(): MessageWriter {
	return new MessageWriter(PACKET_MESSAGE, 0, 0).familyHeader(2, 5);
}

test("a record's fields are read", () => {
	const bytes = message()
		.attribute(1, [0x08, 0x00, INPUT_HOOK, 0])
		.attribute(3, [0, 0, 0, 0, 0x65, 0, 0, 0, 0, 0, 0, 0, 0, 0x07, 0xa1, 0x20])
		.u32(4, 7)
		.u32(5, 8)
		.attribute(9, [1, 2, 3])
		.text(10, "pw:rule")
		.u32(12, 41)
		.finish();
	const record = read(bytes);
	expect(record).toMatchObject({
		prefix: "pw:rule",
		sequence: 41,
		time: 0x6500_0000 * 1000 + 500,
		interfaceIndex: 7,
	});
	expect([...bytes.subarray(record.payloadStart, record.payloadEnd)]).toEqual([1, 2, 3]);
});

test("on the way out the output interface counts", () => {
	const bytes = message().attribute(1, [0x86, 0xdd, OUTPUT_HOOK, 0]).u32(4, 7).u32(5, 8).finish();
	expect(read(bytes).interfaceIndex).toBe(8);
});

test("nothing of the record before is left over", () => {
	const record = read(message().text(10, "pw:old").u32(12, 1).u32(4, 9).attribute(9, [1]).finish());
	expect(read(message().finish(), record)).toEqual(emptyRecord());
});

test("the requests carry the group in network order and one sequence number each", () => {
	const settings = { group: 0x261b, copyBytes: 160, batchBytes: 65_536, threshold: 64, timeout: 10 };
	const requests = bindRequests(settings, 5);
	expect(requests).toHaveLength(2);
	const tables = requests.map((bytes, index) => {
		const cursor = new MessageCursor(bytes);
		expect(cursor.advance()).toBe(true);
		expect(cursor.sequence).toBe(5 + index);
		expect([...bytes.subarray(cursor.start, cursor.start + 4)]).toEqual([0, 0, 0x26, 0x1b]);
		return new AttributeTable(6).read(bytes, cursor.start + 4, cursor.end);
	});
	expect(tables[0]?.u8(1)).toBe(1);
	expect(tables[1]?.copy(2)).toEqual(Uint8Array.of(0, 0, 0, 160, 2, 0));
	expect([tables[1]?.u32(3), tables[1]?.u32(4), tables[1]?.u32(5), tables[1]?.u16(6)]).toEqual([
		65_536, 10, 64, 1,
	]);
});

test("no bytes make reading throw or point outside them", () => {
	fc.assert(
		fc.property(
			fc.array(fc.tuple(fc.nat(14), fc.uint8Array({ maxLength: 20 })), { maxLength: 8 }),
			fc.nat(),
			(list, cut) => {
				const writer = message();
				for (const [type, value] of list) writer.attribute(type, value);
				const whole = writer.finish();
				const bytes = Buffer.from(whole.subarray(0, 20 + (cut % (whole.length - 19))));
				const record = emptyRecord();
				readRecord(bytes, 16, whole.length, new AttributeTable(HIGHEST_ATTRIBUTE), record);
				expect(record.payloadStart).toBeLessThanOrEqual(record.payloadEnd);
				expect(record.payloadEnd).toBeLessThanOrEqual(bytes.length);
			},
		),
	);
});
