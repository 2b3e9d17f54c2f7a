import { expect, test } from "bun:test";
import fc from "fast-check";
import { EntryReader, writeEstablished } from "../../src/kernel/conntrack.ts";
import { MessageCursor, MessageWriter } from "../../src/kernel/netlink-message.ts";

const NEW_ENTRY = 1 << 8;

/** The attributes alone, as the value of a nest. */
function attributes(build: (writer: MessageWriter) => void): Uint8Array {
	const writer = new MessageWriter(0, 0, 0);
	build(writer);
	return writer.finish().subarray(16);
}

function tuple(addresses: [number, number[]][], protocol: number, ports: number[]): Uint8Array {
	return attributes((writer) =>
		writer
			.nested(
				1,
				attributes((nest) => {
					for (const [type, value] of addresses) nest.attribute(type, value);
				}),
			)
			.nested(
				2,
				attributes((nest) => {
					nest.u8(1, protocol);
					for (const [index, port] of ports.entries()) nest.u16(2 + index, port);
				}),
			),
	);
}

function read(family: 4 | 6, bytes: Uint8Array) {
	const cursor = new MessageCursor(bytes);
	expect(cursor.advance()).toBe(true);
	return new EntryReader(family).read(cursor);
}

const there: [number, number[]][] = [
	[1, [10, 0, 0, 1]],
	[2, [10, 0, 0, 2]],
];
const back: [number, number[]][] = [
	[1, [10, 0, 0, 2]],
	[2, [10, 0, 0, 1]],
];

test("an entry is read with its tuples, id and zone", () => {
	const original = tuple(there, 6, [40_000, 443]);
	const bytes = new MessageWriter(NEW_ENTRY, 0, 0)
		.familyHeader(2)
		.nested(1, original)
		.nested(2, tuple(back, 6, [443, 40_000]))
		.u32(3, 0x2 | 0x4 | 0x8)
		.u32(12, 0xfedc_ba98)
		.u16(18, 7)
		.finish();
	expect(read(4, bytes)).toEqual({
		family: 4,
		protocol: 6,
		original: { source: "10.0.0.1", destination: "10.0.0.2", sourcePort: 40_000, destinationPort: 443 },
		reply: { source: "10.0.0.2", destination: "10.0.0.1", sourcePort: 443, destinationPort: 40_000 },
		replied: true,
		assured: true,
		id: 0xfedc_ba98,
		zone: 7,
		key: original,
	});
});

test("a protocol without ports has ports 0", () => {
	const bytes = new MessageWriter(NEW_ENTRY, 0, 0)
		.familyHeader(2)
		.nested(1, tuple(there, 47, []))
		.nested(2, tuple(back, 47, []))
		.u32(12, 1)
		.finish();
	expect(read(4, bytes)?.original).toMatchObject({ sourcePort: 0, destinationPort: 0 });
});

test.each([
	[4, 1, 5, 8],
	[6, 58, 8, 128],
] as const)(
	"IPv%d: an entry of ICMP has the type of its first packet",
	(family, protocol, attribute, type) => {
		const size = family === 4 ? 4 : 16;
		const ends = (source: number, destination: number, said: number): Uint8Array =>
			attributes((writer) =>
				writer
					.nested(
						1,
						attributes((nest) =>
							nest
								.attribute(family === 4 ? 1 : 3, new Uint8Array(size).fill(source))
								.attribute(family === 4 ? 2 : 4, new Uint8Array(size).fill(destination)),
						),
					)
					.nested(
						2,
						attributes((nest) => nest.u8(1, protocol).u8(attribute, said)),
					),
			);
		const bytes = new MessageWriter(NEW_ENTRY, 0, 0)
			.familyHeader(family === 4 ? 2 : 10)
			.nested(1, ends(1, 2, type))
			.nested(2, ends(2, 1, family === 4 ? 0 : 129))
			.u32(12, 1)
			.finish();
		expect(read(family, bytes)).toMatchObject({ protocol, icmpType: type });
	},
);

test("an entry without a tuple, an id or an address of the family is none", () => {
	const whole = (): MessageWriter =>
		new MessageWriter(NEW_ENTRY, 0, 0).familyHeader(2).nested(1, tuple(there, 6, [1, 2]));
	expect(read(4, whole().u32(12, 1).finish())).toBeNull();
	expect(
		read(
			4,
			whole()
				.nested(2, tuple(back, 6, [2, 1]))
				.finish(),
		),
	).toBeNull();
	expect(
		read(
			6,
			whole()
				.nested(2, tuple(back, 6, [2, 1]))
				.u32(12, 1)
				.finish(),
		),
	).toBeNull();
	const short: [number, number[]][] = [
		[1, [10, 0]],
		[2, [10, 0, 0, 2]],
	];
	expect(
		read(
			4,
			whole()
				.nested(2, tuple(short, 6, [2, 1]))
				.u32(12, 1)
				.finish(),
		),
	).toBeNull();
});

test("no bytes make reading throw", () => {
	const attribute = fc.tuple(fc.constantFrom(1, 2, 3, 12, 18), fc.uint8Array({ maxLength: 40 }));
	fc.assert(
		fc.property(
			fc.array(attribute, { maxLength: 6 }),
			fc.constantFrom(4 as const, 6 as const),
			(list, family) => {
				const writer = new MessageWriter(NEW_ENTRY, 0, 0).familyHeader(2);
				for (const [type, value] of list) writer.attribute(type, value);
				const entry = read(family, writer.finish());
				if (entry !== null) expect(entry.original.source).not.toContain("undefined");
			},
		),
	);
});

test("the entry of an established connection is written as the kernel wants it, byte for byte", () => {
	const written = (closing: boolean) =>
		writeEstablished(new MessageWriter(NEW_ENTRY, 0, 0), original, closing)
			.finish()
			.subarray(16)
			.toHex();
	const original = { source: "10.0.0.1", destination: "10.0.0.2", sourcePort: 40_000, destinationPort: 443 };
	const expected = (state: string, timeout: string) =>
		[
			// CTA_TUPLE_ORIG: addresses, then protocol and ports.
			"34000180 14000180 080001000a000001 080002000a000002",
			"1c000280 0500010006000000 060002009c400000 0600030001bb0000",
			// CTA_TUPLE_REPLY
			"34000280 14000180 080001000a000002 080002000a000001",
			"1c000280 0500010006000000 0600020001bb0000 060003009c400000",
			// CTA_STATUS: SEEN_REPLY, ASSURED, CONFIRMED.
			"08000300 0000000e",
			// CTA_PROTOINFO, TCP: the state, both directions liberal.
			`20000480 1c000180 05000100${state}000000 0600040008080000 0600050008080000`,
			// CTA_TIMEOUT
			`08000700 ${timeout}`,
		]
			.join("")
			.replaceAll(" ", "");
	// ESTABLISHED for five days; CLOSE_WAIT for a minute.
	expect(written(false)).toBe(expected("03", "00069780"));
	expect(written(true)).toBe(expected("05", "0000003c"));
});

test("an established connection of either family is read back, with the reply mirrored", () => {
	const addresses = { 4: fc.ipV4(), 6: fc.constantFrom("2001:db8::1", "fe80::1", "fd98:18:0:1::ffff") };
	const port = fc.integer({ min: 0, max: 65_535 });
	for (const family of [4, 6] as const) {
		const tuples = fc.record({
			source: addresses[family],
			destination: addresses[family],
			sourcePort: port,
			destinationPort: port,
		});
		fc.assert(
			fc.property(tuples, (original) => {
				const message = new MessageWriter(NEW_ENTRY, 0, 0).familyHeader(family === 4 ? 2 : 10);
				expect(read(family, writeEstablished(message, original, false).u32(12, 1).finish())).toMatchObject({
					family,
					protocol: 6,
					original,
					reply: {
						source: original.destination,
						destination: original.source,
						sourcePort: original.destinationPort,
						destinationPort: original.sourcePort,
					},
				});
			}),
		);
	}
});

test("text that is no address is a bug of the caller", () => {
	const tuple = { source: "localhost", destination: "10.0.0.2", sourcePort: 1, destinationPort: 2 };
	expect(() => writeEstablished(new MessageWriter(NEW_ENTRY, 0, 0), tuple, false)).toThrow(RangeError);
});
