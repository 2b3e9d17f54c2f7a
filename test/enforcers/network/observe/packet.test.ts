import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { PacketSummary } from "../../../../src/enforcers/network/observe/event.ts";
import { emptyLayout, locate, summarize } from "../../../../src/enforcers/network/observe/packet.ts";

function parsePacket(bytes: Uint8Array): PacketSummary {
	const layout = emptyLayout();
	locate(bytes, 0, bytes.length, layout);
	return summarize(bytes, layout);
}

const PORTS = [0x04, 0xd2, 0x01, 0xbb];
const NO_PORTS = { sourcePort: null, destinationPort: null };
const WITH_PORTS = { sourcePort: 1234, destinationPort: 443 };

interface Ipv4Options {
	protocol?: number;
	/** Header length in 32-bit words. */
	words?: number;
	/** In units of eight bytes. */
	fragmentOffset?: number;
	payload?: number[];
}

function ipv4({
	protocol = 6,
	words = 5,
	fragmentOffset = 0,
	payload = PORTS,
}: Ipv4Options = {}): Uint8Array {
	const header = new Array<number>(Math.max(words, 5) * 4).fill(0);
	header[0] = 0x40 | words;
	header[6] = 0x20 | (fragmentOffset >> 8);
	header[7] = fragmentOffset & 0xff;
	header[9] = protocol;
	header.splice(12, 8, 10, 0, 0, 1, 192, 0, 2, 7);
	return Uint8Array.from([...header, ...payload]);
}

/** One extension header: its own type and its bytes after the next-header field. */
type Extension = [type: number, rest: number[]];

function ipv6(extensions: Extension[], protocol: number, payload = PORTS): Uint8Array {
	const header = new Array<number>(40).fill(0);
	header[0] = 0x60;
	const types = [...extensions.map(([type]) => type), protocol];
	header[6] = types[0] ?? protocol;
	header.splice(8, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	header.splice(24, 16, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	const chain = extensions.flatMap(([, rest], index) => [types[index + 1] ?? 59, ...rest]);
	return Uint8Array.from([...header, ...chain, ...payload]);
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);
/** Length field in units of eight bytes beyond the first eight. */
const options = (type: number, units = 0): Extension => [type, [units, ...zeros(6 + units * 8)]];
const fragment = (offset: number): Extension => [
	44,
	[0, (offset << 3) >> 8, ((offset << 3) & 0xff) | 1, 0, 0, 0, 1],
];

describe("IPv4", () => {
	test("addresses, protocol and ports are read", () => {
		expect(parsePacket(ipv4())).toEqual({
			family: 4,
			source: "10.0.0.1",
			destination: "192.0.2.7",
			protocol: 6,
			...WITH_PORTS,
		});
	});

	test("options before the transport header are skipped", () => {
		expect(parsePacket(ipv4({ words: 15 }))).toMatchObject(WITH_PORTS);
		expect(parsePacket(ipv4({ words: 6 }))).toMatchObject(WITH_PORTS);
	});

	test.each([6, 17, 33, 132, 136])("protocol %d has ports", (protocol) => {
		expect(parsePacket(ipv4({ protocol }))).toMatchObject({ protocol, ...WITH_PORTS });
	});

	test.each([0, 1, 2, 47, 50, 51, 58, 89, 255])("protocol %d has none", (protocol) => {
		expect(parsePacket(ipv4({ protocol }))).toMatchObject({ protocol, ...NO_PORTS });
	});

	test("the first fragment has ports, later ones only the protocol", () => {
		expect(parsePacket(ipv4({ fragmentOffset: 0 }))).toMatchObject({ protocol: 6, ...WITH_PORTS });
		expect(parsePacket(ipv4({ fragmentOffset: 1 }))).toMatchObject({ protocol: 6, ...NO_PORTS });
		expect(parsePacket(ipv4({ fragmentOffset: 0x1fff }))).toMatchObject({ protocol: 6, ...NO_PORTS });
	});

	test("a header length below the minimum gives no ports", () => {
		expect(parsePacket(ipv4({ words: 4 }))).toMatchObject({ destination: "192.0.2.7", ...NO_PORTS });
	});

	test("a cut packet gives what it holds", () => {
		const packet = ipv4();
		expect(parsePacket(packet.subarray(0, 23))).toMatchObject({ protocol: 6, ...NO_PORTS });
		expect(parsePacket(packet.subarray(0, 19))).toMatchObject({ source: "10.0.0.1", destination: null });
		expect(parsePacket(packet.subarray(0, 15))).toMatchObject({ source: null, protocol: 6 });
		expect(parsePacket(packet.subarray(0, 9))).toMatchObject({ family: 4, protocol: null });
		expect(parsePacket(packet.subarray(0, 0))).toMatchObject({ family: null });
	});
});

describe("IPv6", () => {
	test("addresses, protocol and ports are read", () => {
		expect(parsePacket(ipv6([], 17))).toEqual({
			family: 6,
			source: "2001:db8::1",
			destination: "fe80::2",
			protocol: 17,
			...WITH_PORTS,
		});
	});

	test.each<[string, Extension[]]>([
		["hop-by-hop", [options(0)]],
		["destination options of 24 bytes", [options(60, 2)]],
		["routing", [options(43, 1)]],
		["authentication, counted in words", [[51, [4, ...zeros(22)]]]],
		["mobility", [options(135)]],
		["HIP", [options(139)]],
		["shim6", [options(140)]],
		["a first fragment", [fragment(0)]],
		[
			"all of them",
			[options(0), options(60), options(43, 2), fragment(0), [51, [1, ...zeros(10)]], options(60)],
		],
	])("%s in front of TCP does not hide it", (_, extensions) => {
		expect(parsePacket(ipv6(extensions, 6))).toMatchObject({ protocol: 6, ...WITH_PORTS });
	});

	test("a later fragment has the protocol and no ports", () => {
		expect(parsePacket(ipv6([fragment(1)], 132))).toMatchObject({ protocol: 132, ...NO_PORTS });
	});

	test("a later fragment whose rest starts with an extension has no known protocol", () => {
		expect(parsePacket(ipv6([fragment(1), options(60)], 6))).toMatchObject({ protocol: null, ...NO_PORTS });
	});

	test.each([50, 58, 59])("protocol %d ends the chain without ports", (protocol) => {
		expect(parsePacket(ipv6([options(0)], protocol))).toMatchObject({ protocol, ...NO_PORTS });
	});

	test("a chain that is cut gives the addresses only", () => {
		const packet = ipv6([options(0), options(60)], 6);
		expect(parsePacket(packet.subarray(0, 50))).toMatchObject({ source: "2001:db8::1", protocol: null });
		expect(parsePacket(packet.subarray(0, 59))).toMatchObject({ protocol: 6, ...NO_PORTS });
		expect(parsePacket(packet.subarray(0, 30))).toMatchObject({ source: "2001:db8::1", destination: null });
	});

	test("an extension length that leads past the end is no ports", () => {
		expect(parsePacket(ipv6([[0, [255, ...zeros(6)]]], 6))).toMatchObject({ protocol: 6, ...NO_PORTS });
	});
});

test("other versions are nothing at all", () => {
	for (const first of [0x00, 0x50, 0x70, 0xff]) {
		expect(parsePacket(Uint8Array.from([first, ...zeros(60)]))).toEqual({
			family: null,
			source: null,
			destination: null,
			protocol: null,
			...NO_PORTS,
		});
	}
});

test("no bytes make the parser throw or give a number out of range", () => {
	const start = fc.constantFrom([], [0x45], [0x4f], [0x60, 0, 0, 0, 0, 0, 0], [0x60, 0, 0, 0, 0, 0, 44]);
	fc.assert(
		fc.property(start, fc.uint8Array({ maxLength: 160 }), (head, tail) => {
			const packet = parsePacket(Uint8Array.from([...head, ...tail]));
			for (const port of [packet.sourcePort, packet.destinationPort]) {
				if (port !== null) expect(port >= 0 && port <= 0xffff).toBe(true);
			}
			if (packet.protocol !== null) expect(packet.protocol >= 0 && packet.protocol <= 255).toBe(true);
			expect(packet.source ?? "").not.toContain("undefined");
			expect(packet.destination ?? "").not.toContain("undefined");
		}),
		{ numRuns: 2000 },
	);
});

test("cutting a packet only ever takes knowledge away", () => {
	const whole = ipv6([options(0), options(43, 1), fragment(0)], 6);
	const full = parsePacket(whole);
	for (let length = 0; length <= whole.length; length++) {
		const cut = parsePacket(whole.subarray(0, length));
		for (const key of ["source", "destination", "protocol", "sourcePort", "destinationPort"] as const) {
			expect([null, full[key]]).toContain(cut[key]);
		}
	}
});
