/**
 * Reads the network and transport headers of a captured packet (RFC 791, RFC
 * 8200). The bytes come from the network and may be cut anywhere: what they do
 * not hold is null, and nothing throws.
 */

import { formatIpv4, formatIpv6 } from "../../../base/address.ts";
import type { Family } from "../../../base/model.ts";
import { sctp, tcp, udp } from "../../../base/protocol.ts";
import type { PacketSummary } from "./event.ts";

/** Assigned Internet Protocol Numbers (IANA). */
const HOP_BY_HOP = 0;
const DCCP = 33;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
const UDP_LITE = 136;
const HIP = 139;
const SHIM6 = 140;

const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;

/** Where things are in a packet; reused from packet to packet on the hot path. -1 is "not there". */
export interface PacketLayout {
	family: Family | null;
	/** Offset of the source address. */
	source: number;
	/** Offset of the destination address. */
	destination: number;
	protocol: number;
	/** Offset of the transport header's two port numbers. */
	ports: number;
}

/** A layout for `locate` to fill. */
export function emptyLayout(): PacketLayout {
	return { family: null, source: -1, destination: -1, protocol: -1, ports: -1 };
}

/** Finds the headers of the packet in [start, end) and writes their places to `layout`. */
export function locate(bytes: Uint8Array, start: number, end: number, layout: PacketLayout): void {
	const limit = Math.min(end, bytes.length);
	layout.family = null;
	layout.source = -1;
	layout.destination = -1;
	layout.protocol = -1;
	layout.ports = -1;
	if (limit <= start) return;
	const version = (bytes[start] ?? 0) >> 4;
	if (version === 4) locateIpv4(bytes, start, limit, layout);
	else if (version === 6) locateIpv6(bytes, start, limit, layout);
}

/** Reads out what `locate` found in these bytes: the packet's headers as plain data. */
export function summarize(bytes: Uint8Array, layout: PacketLayout): PacketSummary {
	const format = layout.family === 6 ? formatIpv6 : formatIpv4;
	return {
		family: layout.family,
		source: layout.source < 0 ? null : format(bytes, layout.source),
		destination: layout.destination < 0 ? null : format(bytes, layout.destination),
		protocol: layout.protocol < 0 ? null : layout.protocol,
		sourcePort: layout.ports < 0 ? null : u16(bytes, layout.ports),
		destinationPort: layout.ports < 0 ? null : u16(bytes, layout.ports + 2),
	};
}

function locateIpv4(bytes: Uint8Array, start: number, limit: number, layout: PacketLayout): void {
	layout.family = 4;
	const held = limit - start;
	if (held >= 10) layout.protocol = bytes[start + 9] ?? -1;
	if (held >= 16) layout.source = start + 12;
	if (held < IPV4_HEADER_BYTES) return;
	layout.destination = start + 16;
	const headerBytes = ((bytes[start] ?? 0) & 0x0f) * 4;
	const fragmentOffset = u16(bytes, start + 6) & 0x1fff;
	if (headerBytes < IPV4_HEADER_BYTES || fragmentOffset !== 0) return;
	locatePorts(start + headerBytes, limit, layout);
}

function locateIpv6(bytes: Uint8Array, start: number, limit: number, layout: PacketLayout): void {
	layout.family = 6;
	const held = limit - start;
	if (held >= 24) layout.source = start + 8;
	if (held >= IPV6_HEADER_BYTES) layout.destination = start + 24;
	if (held < 7) return;
	let header = bytes[start + 6] ?? 0;
	let at = start + IPV6_HEADER_BYTES;
	while (isExtension(header)) {
		// A fragment header is eight bytes; its second one is reserved, no length.
		if (limit - at < 8) return;
		const next = bytes[at] ?? 0;
		if (header === FRAGMENT && (u16(bytes, at + 2) & 0xfff8) !== 0) {
			// Of a later fragment only the first header of the packet's rest is known, and that may be an extension.
			if (!isExtension(next)) layout.protocol = next;
			return;
		}
		at += extensionBytes(header, bytes[at + 1] ?? 0);
		header = next;
	}
	layout.protocol = header;
	locatePorts(at, limit, layout);
}

/** Headers with a next-header field, RFC 7045 section 4. ESP hides what follows, so it counts as the protocol. */
function isExtension(header: number): boolean {
	switch (header) {
		case HOP_BY_HOP:
		case ROUTING:
		case FRAGMENT:
		case AUTHENTICATION:
		case DESTINATION_OPTIONS:
		case MOBILITY:
		case HIP:
		case SHIM6:
			return true;
		default:
			return false;
	}
}

/** The length in bytes that the length field of an extension header stands for. */
function extensionBytes(header: number, lengthField: number): number {
	if (header === FRAGMENT) return 8;
	// RFC 4302 section 2.2 counts in 4-byte units, minus two.
	if (header === AUTHENTICATION) return (lengthField + 2) * 4;
	return (lengthField + 1) * 8;
}

function locatePorts(at: number, limit: number, layout: PacketLayout): void {
	switch (layout.protocol) {
		case tcp:
		case udp:
		case DCCP:
		case sctp:
		case UDP_LITE:
			if (limit - at >= 4) layout.ports = at;
	}
}

function u16(bytes: Uint8Array, at: number): number {
	return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
