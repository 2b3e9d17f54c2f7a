/** How the destination's port is read from a packet. */

import type { Transport } from "../../../../base/model.ts";
import { protocolNumber } from "../../../../base/protocol.ts";
import { destinationPort, oneOf, protocolKey } from "../../../../kernel/nftables/expressions.ts";
import { transports } from "../table.ts";

/** Reads a port; `guard` has to stand before it in the same rule, or is "". */
export interface PortKey {
	/** Of a protocol, or of each that has ports. */
	read(protocol?: Transport): { readonly read: string; readonly guard: string };
}

/** The one that the packet bears. */
export const packetPort: PortKey = {
	read: (protocol) => ({ read: protocol === undefined ? destinationPort : `${protocol} dport`, guard: "" }),
};

/** Those of which rules name ports. */
const withPorts = transports.map((protocol) => String(protocolNumber(protocol)));

/**
 * The one that the sender wrote, before somebody translated it: the port of this host that a guest's is published as.
 * nft before 1.1 concatenates it only behind a comparison of the protocol.
 */
export const publishedPort: PortKey = {
	read: (protocol) => ({
		read: "ct original proto-dst",
		guard: `${protocolKey} ${oneOf(protocol === undefined ? withPorts : [String(protocolNumber(protocol))])} `,
	}),
};
