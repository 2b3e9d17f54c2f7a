/** Which receivers of this host's own alerts its egress policies would cut off: as `explain` decides. Pure. */

import { parseAddress } from "../../../../base/cidr.ts";
import { decidePacket, type NetworkModel } from "../program.ts";
import type { SenderKey } from "../sender.ts";

/** Where somebody on this host sends to. */
export interface Receiver {
	/** Of the sink. */
	readonly name: string;
	readonly protocol: "tcp" | "udp";
	/** IPv4 or IPv6, without a zone. */
	readonly address: string;
	/** 1..65535 */
	readonly port: number;
}

/** A receiver with the interface that leads to it. */
export interface RoutedReceiver extends Receiver {
	readonly interface: string;
}

/** Plain data. */
export interface RefusedReceiver extends Receiver {
	/** Who blocks it: a policy, or DefaultPosture. */
	readonly policy: string;
	/** The rule's position in egress, and its place; null of a posture. */
	readonly rule: { readonly index: number; readonly file: string; readonly line: number } | null;
}

/** @param sender who sends to them: the daemon */
export function refusedReceivers(
	{ egress, ingress }: NetworkModel,
	receivers: readonly RoutedReceiver[],
	sender: SenderKey,
): RefusedReceiver[] {
	return receivers.flatMap(({ interface: name, ...receiver }): RefusedReceiver[] => {
		const { protocol, port } = receiver;
		const remote = parseAddress(receiver.address);
		// What goes to this host itself passes, whatever the policies say.
		if ("message" in remote || name === "lo") return [];
		const { action, rule } = decidePacket(
			{ egress, ingress },
			{
				...{ direction: "egress", protocol, port, source: null, interface: name, sender },
				...{ family: remote.family, address: remote.value },
			},
		);
		if (action !== "Block" || rule === null) return [];
		const { policy, index, place } = rule;
		const at = place === null ? null : { index, file: place.file, line: place.line };
		return [{ ...receiver, policy, rule: at }];
	});
}

/** As people read it. */
export function refusedText({ protocol, address, port, policy, rule }: RefusedReceiver): string {
	const by = rule === null ? policy : `${policy} egress[${rule.index}] (${rule.file}:${rule.line})`;
	return `egress ${protocol} ${port} to ${address} is blocked by ${by}`;
}
