import { expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeTable, MessageCursor, MessageWriter } from "../../src/kernel/netlink-message.ts";
import {
	bindRequest,
	emptyRecord,
	HIGHEST_ATTRIBUTE,
	type LogRecord,
	OriginalTuple,
	PACKET_MESSAGE,
	readRecord,
	settingsRequest,
} from "../../src/kernel/nflog-message.ts";

const INPUT_HOOK = 1;
const FORWARD_HOOK = 2;
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

test("the requests carry the group in network order and their sequence number", () => {
	const settings = { group: 0x261b, copyBytes: 160, batchBytes: 65_536, threshold: 64, timeout: 10 };
	const requests = [
		bindRequest(settings.group, 5),
		settingsRequest({ ...settings, conntrack: false }, 6),
		settingsRequest({ ...settings, conntrack: true }, 7),
	];
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
	expect(tables[2]?.u16(6)).toBe(5);
});

/** As the kernel writes CTA_TUPLE_ORIG. */
function originalTuple(
	writer: MessageWriter,
	source: number[],
	destination: number[],
	ports: [number, number],
) {
	const [from, to] = source.length === 4 ? [1, 2] : [3, 4];
	return writer.nest(1, (tuple) =>
		tuple
			.nest(1, (addresses) => addresses.attribute(from, source).attribute(to, destination))
			.nest(2, (protocol) => protocol.u8(1, 6).u16(2, ports[0]).u16(3, ports[1])),
	);
}

test("of a forwarded packet both interfaces are read, and what it was before its translation", () => {
	const bytes = message()
		.attribute(1, [0x08, 0x00, FORWARD_HOOK, 0])
		.u32(4, 7)
		.u32(5, 8)
		.nest(18, (entry) => originalTuple(entry, [192, 0, 2, 7], [192, 0, 2, 1], [40_000, 5432]))
		.finish();
	const record = read(bytes);
	expect(record).toMatchObject({ interfaceIndex: 7, forwardIndex: 8 });
	expect(new OriginalTuple().read(bytes, record, 4)).toEqual({
		source: "192.0.2.7",
		destination: "192.0.2.1",
		sourcePort: 40_000,
		destinationPort: 5432,
	});
	expect(new OriginalTuple().read(bytes, record, 6)).toBeNull();
	expect(new OriginalTuple().read(bytes, emptyRecord(), 4)).toBeNull();
});

test("an IPv6 tuple, and one tuple after the other with the same reader", () => {
	const address = (last: number) => [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), last];
	const six = message()
		.nest(18, (entry) => originalTuple(entry, address(7), address(1), [1, 2]))
		.finish();
	const none = message().u32(4, 7).finish();
	const reader = new OriginalTuple();
	const tuple = { source: "2001:db8::7", destination: "2001:db8::1", sourcePort: 1, destinationPort: 2 };
	expect(reader.read(six, read(six), 6)).toEqual(tuple);
	expect(reader.read(none, read(none), 6)).toBeNull();
	expect(reader.read(six, read(six), 6)).toEqual(tuple);
});

test("no bytes make reading throw or point outside them", () => {
	fc.assert(
		fc.property(
			fc.array(fc.tuple(fc.nat(20), fc.uint8Array({ maxLength: 20 })), { maxLength: 8 }),
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
				expect(record.conntrackStart).toBeLessThanOrEqual(record.conntrackEnd);
				expect(record.conntrackEnd).toBeLessThanOrEqual(bytes.length);
			},
		),
	);
});

test("no bytes in the place of a tuple make reading throw, nor give more than they hold", () => {
	const reader = new OriginalTuple();
	fc.assert(
		fc.property(
			fc.uint8Array({ maxLength: 120 }),
			fc.nat(120),
			fc.nat(120),
			fc.boolean(),
			fc.array(fc.tuple(fc.nat(119), fc.nat(255)), { maxLength: 6 }),
			(rubbish, start, length, whole, changes) => {
				const good = message()
					.nest(18, (entry) => originalTuple(entry, [192, 0, 2, 7], [192, 0, 2, 1], [1, 2]))
					.finish();
				const bytes = whole ? Buffer.from(good) : Buffer.from(rubbish);
				for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
				const { conntrackStart, conntrackEnd } = whole
					? read(bytes)
					: { conntrackStart: start, conntrackEnd: start + length };
				for (const family of [4, 6] as const) {
					const tuple = reader.read(bytes, { conntrackStart, conntrackEnd }, family);
					if (tuple === null) continue;
					for (const port of [tuple.sourcePort, tuple.destinationPort]) {
						expect(port).toBeGreaterThanOrEqual(0);
						expect(port).toBeLessThanOrEqual(65_535);
					}
					// An address has its bytes in the message.
					expect(conntrackEnd - conntrackStart).toBeGreaterThanOrEqual(family === 4 ? 8 : 32);
				}
			},
		),
	);
});
