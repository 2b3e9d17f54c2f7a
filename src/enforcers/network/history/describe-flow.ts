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
	const [before, behind] = aroundRemote(flow);
	return `${before}${remoteText(flow.remote)}${behind}`;
}

/** The same before the remote end and behind it. */
export function aroundRemote(flow: SeenFlow): readonly [string, string] {
	const { direction, guest } = flow;
	const service = serviceText(flow);
	const link = flow.interface === "" ? "" : ` on ${flow.interface}`;
	const who = guest === null ? "this host" : `guest ${formatAddress(guest.family, guest.value)}`;
	if (direction === "egress") return [`${who} → ${service} of `, link];
	return ["", ` → ${service}${link}${guest === null ? "" : ` for ${who}`}`];
}

export const verdictWord: Readonly<Record<Action, string>> = {
	Allow: "allowed",
	Audit: "audited",
	Block: "blocked",
};
