/** What a network alert says of its packet, as values and not as words. Pure. */

import { isIcmp, parseProtocol, protocolNumber } from "../../base/protocol.ts";
import type { Alert } from "../alert.ts";

export interface AlertPacket {
	readonly source: { readonly ip: string; readonly port: number | null };
	readonly destination: { readonly ip: string; readonly port: number | null };
	/** As other products write it, in lower case: `tcp`, `ipv6-icmp`. */
	readonly protocol: string;
	/** 0..255; null where the alert names none that is known. */
	readonly number: number | null;
	readonly family: 4 | 6;
	readonly inbound: boolean;
	/** "" for none. */
	readonly interface: string;
}

/** Null for an alert that is not about a packet. */
export function packetOf({ Operation, Resource, EventData }: Alert): AlertPacket | null {
	const { SourceIP = "", DestinationIP = "", Protocol = "", Interface = "" } = EventData;
	if (Operation !== "NetworkFirewall" || SourceIP === "" || DestinationIP === "") return null;
	const parsed = parseProtocol(Protocol.replace(/^Proto-/, ""));
	const number = parsed === null ? null : protocolNumber(parsed);
	return {
		source: { ip: SourceIP, port: portOf(EventData.SourcePort) },
		destination: { ip: DestinationIP, port: portOf(EventData.DestinationPort) },
		protocol: parsed !== null && isIcmp(parsed) && number === 58 ? "ipv6-icmp" : Protocol.toLowerCase(),
		number,
		family: SourceIP.includes(":") ? 6 : 4,
		inbound: Resource === "INGRESS",
		interface: Interface,
	};
}

function portOf(text: string | undefined): number | null {
	const port = Number(text ?? "");
	return text !== undefined && text !== "" && Number.isInteger(port) ? port : null;
}
