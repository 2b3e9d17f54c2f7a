import { describe, expect, test } from "bun:test";
import { addressBytes, packetBytes, protocolNumbers } from "../../../src/kernel/probe/packet.ts";

const ends = {
	4: { family: 4, source: 0xc0000201n, destination: 0xc6120001n },
	6: { family: 6, source: (0x20010db8n << 96n) + 1n, destination: (0xfd98n << 112n) + 2n },
} as const;

/** The one's complement sum of 16-bit words, which is 0xffff where the checksum is right. */
function sum(bytes: ArrayLike<number>): number {
	let total = 0;
	for (let index = 0; index < bytes.length; index += 2)
		total += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
	while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
	return total;
}

test("addresses are in network order", () => {
	expect([...addressBytes(4, 0xc0000201n)]).toEqual([192, 0, 2, 1]);
	expect([...addressBytes(6, 1n)]).toEqual([...Array.from({ length: 15 }, () => 0), 1]);
});

describe.each([4, 6] as const)("of IPv%d", (family) => {
	const header = family === 4 ? 20 : 40;

	test.each([
		["tcp", protocolNumbers.tcp, 20],
		["udp", protocolNumbers.udp, 12],
		["icmpv6", protocolNumbers.icmpv6, 20],
	])("%s has the lengths and the checksum that it must have", (_, protocol, length) => {
		const bytes = packetBytes({ ...ends[family], protocol, port: 22, from: 128 });
		const view = new DataView(bytes.buffer);
		expect(bytes.length).toBe(header + length);
		expect(view.getUint16(family === 4 ? 2 : 4)).toBe(family === 4 ? header + length : length);
		const addresses = bytes.slice(family === 4 ? 12 : 8, header);
		expect(sum([...addresses, 0, protocol, 0, length, ...bytes.slice(header)])).toBe(0xffff);
		if (family === 4) expect(sum(bytes.slice(0, header))).toBe(0xffff);
	});

	test("others carry eight bytes", () => {
		const bytes = packetBytes({ ...ends[family], protocol: 47, port: 0, from: 0 });
		expect(bytes.length).toBe(header + 8);
		expect(bytes[family === 4 ? 9 : 6]).toBe(47);
	});
});

test("ICMP is summed without addresses, and SCTP has one INIT with its CRC32c", () => {
	const icmp = packetBytes({ ...ends[4], protocol: 1, port: 0, from: 8 });
	expect([icmp[20], sum(icmp.slice(20))]).toEqual([8, 0xffff]);
	const sctp = packetBytes({ ...ends[4], protocol: 132, port: 9, from: 7 }).slice(20);
	expect([sctp[1], sctp[3], sctp[12]]).toEqual([7, 9, 1]);
	const zeroed = Uint8Array.from(sctp).fill(0, 8, 12);
	expect(new DataView(sctp.buffer).getUint32(8, true)).toBe(reference(zeroed));
});

/** CRC32c by polynomial division over bits, the other way around than in the source. */
function reference(bytes: Uint8Array): number {
	const reverse = (value: number, width: number) =>
		Number.parseInt(value.toString(2).padStart(width, "0").split("").reverse().join(""), 2);
	let remainder = 0xffffffffn;
	for (const byte of bytes) {
		remainder ^= BigInt(reverse(byte, 8)) << 24n;
		for (let bit = 0; bit < 8; bit++) {
			const carry = (remainder >> 31n) & 1n;
			remainder = ((remainder << 1n) & 0xffffffffn) ^ (carry ? 0x1edc6f41n : 0n);
		}
	}
	return (reverse(Number(remainder), 32) ^ 0xffffffff) >>> 0;
}
