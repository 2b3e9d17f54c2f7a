/** A flow's tuple among the attributes of connection tracking (linux/netfilter/nfnetlink_conntrack.h). */

import { formatIpv4, formatIpv6 } from "../base/address.ts";
import { parseAddress } from "../base/cidr.ts";
import type { Family } from "../base/model.ts";
import { tcp } from "../base/protocol.ts";
import { AttributeTable, type MessageWriter } from "./netlink-message.ts";

export const CTA_TUPLE_ORIG = 1;
export const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTO_ICMP_TYPE = 5;
const CTA_PROTO_ICMPV6_TYPE = 8;

export interface ConntrackTuple {
	readonly source: string;
	readonly destination: string;
	/** 0 for protocols without ports. */
	readonly sourcePort: number;
	readonly destinationPort: number;
}

/** Reads tuples of one family; its tables are reused from tuple to tuple. */
export class TupleReader {
	readonly #tuple = new AttributeTable(CTA_TUPLE_PROTO);
	readonly #addresses = new AttributeTable(CTA_IP_V6_DST);
	readonly #protocol = new AttributeTable(CTA_PROTO_ICMPV6_TYPE);

	constructor(private readonly family: Family) {}

	/** The IP protocol number of the tuple that was read last; null where it has none. */
	get protocol(): number | null {
		return this.#protocol.u8(CTA_PROTO_NUM);
	}

	/** Of ICMP and ICMPv6 alone: the type in the tuple that was read last. */
	get icmpType(): number | null {
		return this.#protocol.u8(this.family === 4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE);
	}

	/** The tuple that lies in an attribute of `parent`, which was read from these bytes; null without whole addresses. */
	read(bytes: Uint8Array, parent: AttributeTable, type: number): ConntrackTuple | null {
		this.#tuple.readNested(parent, type);
		this.#addresses.readNested(this.#tuple, CTA_TUPLE_IP);
		this.#protocol.readNested(this.#tuple, CTA_TUPLE_PROTO);
		const [source, destination, length, format] =
			this.family === 4
				? ([CTA_IP_V4_SRC, CTA_IP_V4_DST, 4, formatIpv4] as const)
				: ([CTA_IP_V6_SRC, CTA_IP_V6_DST, 16, formatIpv6] as const);
		if (this.#addresses.length(source) < length || this.#addresses.length(destination) < length) return null;
		return {
			source: format(bytes, this.#addresses.offset(source)),
			destination: format(bytes, this.#addresses.offset(destination)),
			sourcePort: this.#protocol.u16(CTA_PROTO_SRC_PORT) ?? 0,
			destinationPort: this.#protocol.u16(CTA_PROTO_DST_PORT) ?? 0,
		};
	}
}

/** A tuple of TCP. @throws RangeError for text that is no address. */
export function writeTuple(message: MessageWriter, tuple: ConntrackTuple): void {
	const source = addressBytes(tuple.source);
	const [sourceType, destinationType] =
		source.length === 4 ? [CTA_IP_V4_SRC, CTA_IP_V4_DST] : [CTA_IP_V6_SRC, CTA_IP_V6_DST];
	message
		.nest(CTA_TUPLE_IP, (addresses) =>
			addresses.attribute(sourceType, source).attribute(destinationType, addressBytes(tuple.destination)),
		)
		.nest(CTA_TUPLE_PROTO, (protocol) =>
			protocol
				.u8(CTA_PROTO_NUM, tcp)
				.u16(CTA_PROTO_SRC_PORT, tuple.sourcePort)
				.u16(CTA_PROTO_DST_PORT, tuple.destinationPort),
		);
}

function addressBytes(text: string): Uint8Array {
	const address = parseAddress(text);
	if ("message" in address) throw new RangeError(`not an address: ${text}`);
	const digits = address.family === 4 ? 8 : 32;
	return Uint8Array.fromHex(address.value.toString(16).padStart(digits, "0"));
}
