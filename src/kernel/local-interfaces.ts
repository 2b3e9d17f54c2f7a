/**
 * The interfaces and addresses of this network namespace, over rtnetlink(7).
 * The runtime's own list leaves out interfaces without a carrier or address,
 * but their addresses are local too, and rules may name them.
 */

import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../base/address.ts";
import {
	AttributeTable,
	type MessageCursor,
	MessageWriter,
	NLM_F_DUMP,
	NLM_F_REQUEST,
} from "./netlink-message.ts";
import { type Answer, askEach } from "./netlink-request.ts";

/** linux/rtnetlink.h */
export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
/** struct ifinfomsg of linux/rtnetlink.h */
const LINK_HEADER_BYTES = 16;
const IFLA_IFNAME = 3;
/** struct ifaddrmsg of linux/if_addr.h */
const ADDRESS_HEADER_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

export interface LocalInterfaces {
	/** Every interface, the loopback included, whether it is up or not. */
	readonly names: readonly string[];
	/** Their names by index. */
	readonly byIndex: ReadonlyMap<number, string>;
	/** Every configured address as canonical text, without zones, and the interfaces that have it. Of 127.0.0.0/8 only what is configured. */
	readonly addresses: ReadonlyMap<string, readonly string[]>;
}

export type LocalInterfacesResult =
	| { readonly ok: true; readonly interfaces: LocalInterfaces }
	| { readonly ok: false; readonly error: string };

/** Reads what there is now. */
export function localInterfaces(): LocalInterfacesResult {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
	if (!opened.ok) return opened;
	const names = new Map<number, string>();
	const addresses = new Map<string, string[]>();
	const table = new AttributeTable(IFLA_IFNAME);
	const links = dump(opened.socket, 1, RTM_GETLINK, ({ type, bytes, start, end }) => {
		if (type !== RTM_NEWLINK) return;
		const name = table.read(bytes, start + LINK_HEADER_BYTES, end).text(IFLA_IFNAME);
		if (name !== null) names.set(interfaceIndex(bytes, start), name);
	});
	const result = !links.ok
		? links
		: dump(opened.socket, 2, RTM_GETADDR, ({ type, bytes, start, end }) => {
				if (type !== RTM_NEWADDR) return;
				table.read(bytes, start + ADDRESS_HEADER_BYTES, end);
				// On a point-to-point interface IFA_ADDRESS is the other end.
				const attribute = table.length(IFA_LOCAL) > 0 ? IFA_LOCAL : IFA_ADDRESS;
				const format = formats[table.length(attribute)];
				if (format === undefined) return;
				const address = format(bytes, table.offset(attribute));
				const owner = names.get(interfaceIndex(bytes, start));
				const owners = addresses.get(address) ?? [];
				addresses.set(address, owner === undefined ? owners : [...owners, owner]);
			});
	opened.socket.close();
	return result.ok
		? { ok: true, interfaces: { names: [...names.values()], byIndex: names, addresses } }
		: { ok: false, error: result.error };
}

/** By the bytes of an address. */
const formats: Readonly<Record<number, typeof formatIpv4>> = { 4: formatIpv4, 16: formatIpv6 };

/** ifi_index and ifa_index both stand behind four bytes of their structures, in host order. */
function interfaceIndex(bytes: Uint8Array, start: number): number {
	return new DataView(bytes.buffer, bytes.byteOffset).getUint32(start + 4, true);
}

/** Asks for a whole list and visits each message of the answer. */
export function dump(
	socket: NetlinkSocket,
	sequence: number,
	type: number,
	visit: (message: MessageCursor) => void,
): Answer {
	const request = new MessageWriter(type, NLM_F_REQUEST | NLM_F_DUMP, sequence).familyHeader(0).finish();
	return askEach(socket, request, sequence, visit);
}
