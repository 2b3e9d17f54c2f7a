/**
 * The addresses of this network namespace, over rtnetlink(7). The runtime's own
 * list leaves out interfaces without a carrier, whose addresses are local too.
 */

import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { formatIpv4, formatIpv6 } from "./address.ts";
import { AttributeTable, MessageWriter, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink-message.ts";
import { ask } from "./netlink-request.ts";

/** linux/rtnetlink.h */
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
/** struct ifaddrmsg of linux/if_addr.h */
const ADDRESS_HEADER_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

export type LocalAddressesResult =
	| { readonly ok: true; readonly addresses: ReadonlySet<string> }
	| { readonly ok: false; readonly error: string };

/** Every address of every interface as canonical text, without zones. Of 127.0.0.0/8 only what is configured. */
export function localAddresses(): LocalAddressesResult {
	const opened = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
	if (!opened.ok) return opened;
	const request = new MessageWriter(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1).familyHeader(0).finish();
	const table = new AttributeTable(IFA_LOCAL);
	const addresses = new Set<string>();
	const answer = ask(opened.socket, request, 1);
	for (;;) {
		const step = answer.next();
		if (step.done === true) {
			opened.socket.close();
			return step.value.ok ? { ok: true, addresses } : { ok: false, error: step.value.error };
		}
		const { type, bytes, start, end } = step.value;
		if (type !== RTM_NEWADDR) continue;
		table.read(bytes, start + ADDRESS_HEADER_BYTES, end);
		// On a point-to-point interface IFA_ADDRESS is the other end.
		const attribute = table.length(IFA_LOCAL) > 0 ? IFA_LOCAL : IFA_ADDRESS;
		if (table.length(attribute) === 4) addresses.add(formatIpv4(bytes, table.offset(attribute)));
		if (table.length(attribute) === 16) addresses.add(formatIpv6(bytes, table.offset(attribute)));
	}
}
