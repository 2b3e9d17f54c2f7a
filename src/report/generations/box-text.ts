/** Connections whose verdict changes, in words. Pure. */

import type { GenerationBox } from "../../base/generation.ts";
import { rangeText } from "../../base/port-range.ts";

/** What `portward diff` finds, and what is kept of it. */
export type ToldBox = Omit<GenerationBox, "moreAddresses"> & { readonly moreAddresses?: number };

/** Address blocks that are written out; JSON has them all. */
const mostAddresses = 8;

/** Above the boxes of what is forwarded, which follow those of the host. */
export const forwardedHeading = "The same about what is forwarded to guests and from them";

export interface BoxWords {
	readonly protocol: string;
	readonly ports: string;
	/** After the protocol: the ports where they are not all, the interface, and who sends. */
	readonly traffic: string;
	readonly addresses: string;
	/** Who sends, behind a blank; "" for every one that no other box names. */
	readonly sender: string;
}

export function boxWords(box: ToldBox): BoxWords {
	const range = ([first, last]: readonly [number, number]) => rangeText({ first, last });
	const parts: string[] = box.ports === null ? [] : [range(box.ports)];
	if (box.sourcePorts !== undefined) parts.push(`from port ${range(box.sourcePorts)}`);
	if (box.icmpTypes !== undefined) parts.push(`type ${range(box.icmpTypes)}`);
	const hidden = Math.max(0, box.addresses.length - mostAddresses) + (box.moreAddresses ?? 0);
	const told = box.addresses.slice(0, mostAddresses).join(", ") + (hidden > 0 ? ` and ${hidden} more` : "");
	const shown = told + (box.suffixes === undefined ? "" : ` of ${box.suffixes.join(" and ")}`);
	const ports = parts.join(" ");
	const senders = [
		box.user === undefined ? [] : [`user ${box.user}`],
		box.group === undefined ? [] : [`group ${box.group}`],
		box.service === undefined ? [] : [box.service],
	].flat();
	const sender = senders.length === 0 ? "" : ` by ${senders.join(" and ")}`;
	const place = (box.interface === null ? "" : ` on ${box.interface}`) + sender;
	return {
		protocol: box.protocol === "any" ? "any protocol" : box.protocol,
		ports: ports === "" ? "all" : ports,
		sender,
		traffic: `${ports === "" ? "" : ` ${ports}`}${place}`,
		addresses: shown,
	};
}

export function boxLine(box: ToldBox): string {
	const { protocol, traffic, addresses } = boxWords(box);
	const change = box.before === box.after ? `${box.after}, as before` : `${box.before} → ${box.after}`;
	return `${change}: ${box.direction} ${protocol}${traffic} ${box.direction === "ingress" ? "from" : "to"} ${addresses}`;
}
