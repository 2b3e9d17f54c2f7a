/**
 * Hardware addresses that an interface takes packets for beside its own, over rtnetlink(7). Whoever asks the kernel for
 * them has an interface of his own on top of it, such as a container's macvlan, which may be in another namespace.
 */

import { NETLINK_ROUTE } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { dump, RTM_GETLINK, RTM_NEWLINK } from "../local-interfaces.ts";
import { AttributeTable, MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from "../netlink-message.ts";
import { ask } from "../netlink-request.ts";

/** linux/rtnetlink.h, linux/if_link.h */
const LINK_HEADER_BYTES = 16;
const IFLA_ADDRESS = 1;
/** linux/neighbour.h */
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const AF_BRIDGE = 7;
const NEIGHBOUR_HEADER_BYTES = 12;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 0x02;
const MAC_BYTES = 6;
/** Entries that are looked at: a large switch's table is not read to its end. */
const mostEntries = 65_536;

/** Indexes of interfaces that take packets for a unicast address which no interface of this namespace has. */
export function interfacesWithForeignAddresses(): ReadonlySet<number> {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE, receiveBuffer: 1 << 20 });
	const found = new Set<number>();
	if (!opened.ok) return found;
	const own = new Set<string>();
	const table = new AttributeTable(NDA_LLADDR);
	dump(opened.socket, 1, RTM_GETLINK, ({ type, bytes, start, end }) => {
		if (type !== RTM_NEWLINK) return;
		const address = table.read(bytes, start + LINK_HEADER_BYTES, end).copy(IFLA_ADDRESS);
		if (address !== null) own.add(address.toHex());
	});
	// struct ifinfomsg, as iproute2 sends it: kernels that check strictly take no shorter header.
	const request = new MessageWriter(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, 2)
		.raw([AF_BRIDGE, ...new Uint8Array(LINK_HEADER_BYTES - 1)])
		.finish();
	const answer = ask(opened.socket, request, 2);
	for (let count = 0; count < mostEntries; count++) {
		const step = answer.next();
		if (step.done === true) break;
		const { type, bytes, start, end } = step.value;
		if (type !== RTM_NEWNEIGH || end - start < NEIGHBOUR_HEADER_BYTES) continue;
		const view = new DataView(bytes.buffer, bytes.byteOffset + start);
		const permanent = (view.getUint16(8, true) & NUD_PERMANENT) !== 0;
		if (!permanent || (view.getUint8(10) & NTF_SELF) === 0) continue;
		const address = table.read(bytes, start + NEIGHBOUR_HEADER_BYTES, end).copy(NDA_LLADDR);
		if (address !== null && isUnicast(address) && !own.has(address.toHex()))
			found.add(view.getUint32(4, true));
	}
	opened.socket.close();
	return found;
}

/** The lowest bit of the first byte marks groups; all zeros are nobody's (a tunnel's default entry). */
function isUnicast(address: Uint8Array): boolean {
	return address.length === MAC_BYTES && ((address[0] ?? 1) & 1) === 0 && address.some((byte) => byte !== 0);
}
