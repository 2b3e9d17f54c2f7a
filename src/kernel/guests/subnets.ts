/** The networks that the interfaces of this namespace have addresses in, over rtnetlink(7). */

import { NETLINK_ROUTE } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "../../base/address.ts";
import { addressBits, maskBase, parseAddress } from "../../base/cidr.ts";
import type { Cidr, Family } from "../../base/model.ts";
import { dump } from "../local-interfaces.ts";
import { AttributeTable } from "../netlink-message.ts";

/** linux/rtnetlink.h, linux/if_addr.h */
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const ADDRESS_HEADER_BYTES = 8;
const IFA_ADDRESS = 1;
const AF_INET6 = 10;

/** By the index of the interface; link-local ones, which every interface has, are left out. None where nobody tells. */
export function subnets(): ReadonlyMap<number, readonly Cidr[]> {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
	const found = new Map<number, Cidr[]>();
	if (!opened.ok) return found;
	const table = new AttributeTable(IFA_ADDRESS);
	dump(opened.socket, 1, RTM_GETADDR, ({ type, bytes, start, end }) => {
		if (type !== RTM_NEWADDR || end - start < ADDRESS_HEADER_BYTES) return;
		table.read(bytes, start + ADDRESS_HEADER_BYTES, end);
		const family: Family = bytes[start] === AF_INET6 ? 6 : 4;
		if (table.length(IFA_ADDRESS) !== addressBits(family) / 8) return;
		const at = table.offset(IFA_ADDRESS);
		const address = parseAddress(family === 4 ? formatIpv4(bytes, at) : formatIpv6(bytes, at));
		const prefix = Math.min(bytes[start + 1] ?? 0, addressBits(family));
		if ("message" in address || isLinkLocal(family, address.value)) return;
		const index = new DataView(bytes.buffer, bytes.byteOffset).getUint32(start + 4, true);
		const block: Cidr = { family, base: maskBase(address.value, family, prefix), prefix };
		found.set(index, [...(found.get(index) ?? []), block]);
	});
	opened.socket.close();
	return found;
}

/** fe80::/10 (RFC 4291, 2.5.6). */
function isLinkLocal(family: Family, value: bigint): boolean {
	return family === 6 && value >> 118n === 0x3fan;
}
