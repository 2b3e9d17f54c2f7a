/** IP packets that open a flow, as bytes. Pure. */

import type { Family } from "../../base/model.ts";

export interface ProbePacket {
	readonly family: Family;
	readonly source: bigint;
	readonly destination: bigint;
	/** The number of the protocol. */
	readonly protocol: number;
	/** 0 for protocols without ports. */
	readonly port: number;
	/** The source port, or the type of ICMP and ICMPv6. */
	readonly from: number;
}

export const protocolNumbers = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

/** RFC 791, RFC 8200 */
const header4Bytes = 20;
const header6Bytes = 40;
const hopLimit = 64;

/** In network order. */
export function addressBytes(family: Family, address: bigint): Uint8Array {
	const length = family === 4 ? 4 : 16;
	return Uint8Array.from({ length }, (_, index) =>
		Number((address >> BigInt(8 * (length - 1 - index))) & 0xffn),
	);
}

/** The whole packet, with every checksum that connection tracking looks at. */
export function packetBytes(packet: ProbePacket): Uint8Array {
	const source = addressBytes(packet.family, packet.source);
	const destination = addressBytes(packet.family, packet.destination);
	const payload = payloadOf(packet, [...source, ...destination]);
	const header = packet.family === 4 ? header4(packet, payload.length) : header6(packet, payload.length);
	header.set(source, packet.family === 4 ? 12 : 8);
	header.set(destination, packet.family === 4 ? 16 : 24);
	if (packet.family === 4) new DataView(header.buffer).setUint16(10, checksum(header));
	return Uint8Array.from([...header, ...payload]);
}

function header4({ protocol }: ProbePacket, payload: number): Uint8Array {
	const header = new Uint8Array(header4Bytes);
	const view = new DataView(header.buffer);
	view.setUint8(0, 0x45);
	view.setUint16(2, header4Bytes + payload);
	view.setUint8(8, hopLimit);
	view.setUint8(9, protocol);
	return header;
}

function header6({ protocol }: ProbePacket, payload: number): Uint8Array {
	const header = new Uint8Array(header6Bytes);
	const view = new DataView(header.buffer);
	view.setUint8(0, 0x60);
	view.setUint16(4, payload);
	view.setUint8(6, protocol);
	view.setUint8(7, hopLimit);
	return header;
}

function payloadOf(packet: ProbePacket, addresses: readonly number[]): Uint8Array {
	const { protocol, port, from } = packet;
	const pseudo = (bytes: Uint8Array) => checksum([...addresses, 0, protocol, 0, bytes.length, ...bytes]);
	const ports = (bytes: Uint8Array) => {
		const view = new DataView(bytes.buffer);
		view.setUint16(0, from);
		view.setUint16(2, port);
		return view;
	};
	switch (protocol) {
		case protocolNumbers.tcp: {
			const bytes = new Uint8Array(20);
			const view = ports(bytes);
			view.setUint32(4, 1);
			view.setUint8(12, 5 << 4);
			view.setUint8(13, 0x02);
			view.setUint16(14, 1024);
			view.setUint16(16, pseudo(bytes));
			return bytes;
		}
		case protocolNumbers.udp: {
			const bytes = new Uint8Array(12);
			const view = ports(bytes);
			view.setUint16(4, bytes.length);
			// Zero says that there is none (RFC 768).
			view.setUint16(6, pseudo(bytes) || 0xffff);
			return bytes;
		}
		case protocolNumbers.sctp:
			return sctpInit(ports);
		case protocolNumbers.icmp: {
			const bytes = echo(from);
			new DataView(bytes.buffer).setUint16(2, checksum(bytes));
			return bytes;
		}
		case protocolNumbers.icmpv6: {
			const bytes = echo(from);
			new DataView(bytes.buffer).setUint16(2, pseudo(bytes));
			return bytes;
		}
		default:
			return new Uint8Array(8);
	}
}

function echo(type: number): Uint8Array {
	const bytes = new Uint8Array(20);
	bytes[0] = type;
	bytes[5] = 1;
	return bytes;
}

/** An INIT chunk alone (RFC 9260 section 3.3.2). */
function sctpInit(ports: (bytes: Uint8Array) => DataView): Uint8Array {
	const bytes = new Uint8Array(32);
	const view = ports(bytes);
	view.setUint8(12, 1);
	view.setUint16(14, 20);
	view.setUint32(16, 1);
	view.setUint32(20, 1500);
	view.setUint16(24, 1);
	view.setUint16(26, 1);
	view.setUint32(28, 1);
	view.setUint32(8, crc32c(bytes), true);
	return bytes;
}

/** RFC 1071. */
function checksum(bytes: ArrayLike<number>): number {
	let sum = 0;
	for (let index = 0; index < bytes.length; index += 2)
		sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}

/** RFC 9260 appendix A, bit by bit. */
function crc32c(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	}
	return ~crc >>> 0;
}
