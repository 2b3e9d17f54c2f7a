/** A flow in words, as alerts have them. Pure. Whoever shows it escapes it. */

import { formatAddress } from "../../../base/cidr.ts";
import type { Action } from "../../../base/model.ts";
import { protocolLabel } from "../../../base/protocol.ts";
import { remoteText, type SeenFlow } from "./seen-flow.ts";

/** `tcp 5432`, `icmp`, `protocol 253`. */
export function serviceText({ protocol, port }: Pick<SeenFlow, "protocol" | "port">): string {
	const name = protocolLabel(protocol).toLowerCase();
	return port === null ? name : `${name} ${port}`;
}

/** Such as `10.0.1.200 → tcp 5432 on eth0`. */
export function describeFlow(flow: SeenFlow): string {
	const { direction, remote, guest } = flow;
	const service = serviceText(flow);
	const link = flow.interface === "" ? "" : ` on ${flow.interface}`;
	const who = guest === null ? "this host" : `guest ${formatAddress(guest.family, guest.value)}`;
	if (direction === "egress") return `${who} → ${service} of ${remoteText(remote)}${link}`;
	return `${remoteText(remote)} → ${service}${link}${guest === null ? "" : ` for ${who}`}`;
}

export const verdictWord: Readonly<Record<Action, string>> = {
	Allow: "allowed",
	Audit: "audited",
	Block: "blocked",
};
