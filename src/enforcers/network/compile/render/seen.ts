/**
 * What adds up new flows where they are judged: sets that the rules themselves fill, and that the daemon reads. No
 * packet's fate depends on it: whatever becomes of a count, the packet goes on to the same rules.
 */

import type { Direction, Family } from "../../../../base/model.ts";
import { icmp, icmpv6, sctp, tcp, udp } from "../../../../base/protocol.ts";
import {
	addressKey,
	addressType,
	concatenation,
	counted,
	goto,
	joined,
	oneOf,
	portType,
	protocolKey,
	protocolType,
	sourcePort,
	tallied,
} from "../../../../kernel/nftables/expressions.ts";
import type { NftSet, Rule } from "../../../../kernel/nftables/objects.ts";
import {
	forwardChain,
	type SeenKind,
	seenLostCounter,
	seenSet,
	seenSizes,
	seenTimeout,
} from "../../names.ts";
import type { ObjectStore } from "./objects.ts";

export interface SeenTree {
	readonly direction: Direction;
	readonly forwarded: boolean;
	/** How the port is read that the sender asked for. */
	readonly port: string;
}

/** Adds the chain that counts packets of new flows of a family, and returns its name. It returns in any case. */
export function addSeen(
	store: ObjectStore,
	family: Family,
	{ direction, forwarded, port }: SeenTree,
): string {
	const ingress = direction === "ingress";
	const guest = forwarded ? addressKey(family, ingress ? "daddr" : "saddr") : "";
	const remote = addressKey(family, ingress ? "saddr" : "daddr");
	const place = { direction, forwarded, family };
	const key = (last: string) =>
		concatenation(ingress ? "meta iif" : "meta oif", remote, guest, protocolKey, last);
	const set = (kind: SeenKind): string => {
		const address = addressType(family);
		const made: NftSet = {
			kind: "set",
			name: seenSet(place, kind),
			type: concatenation(
				"iface_index",
				address,
				forwarded ? address : "",
				protocolType,
				kind === "other" ? "" : portType,
			),
			flags: ["dynamic", "timeout"],
			timeout: seenTimeout,
			size: seenSizes[forwarded ? "forward" : "own"][kind],
			keys: "",
		};
		return store.again(made);
	};
	const counter = seenLostCounter(forwarded ? forwardChain : direction);
	store.counter(counter);
	const named = set("named");
	const other = set("other");
	const control = family === 4 ? icmp : icmpv6;
	const is = (protocol: number) => `ct state new ${protocolKey} ${protocol}`;
	const lost = `ct state new ${counted(counter)}`;
	const full = store.chain([lost]);
	const rules: Rule[] = [
		// First, as each datagram to somebody else is a flow of its own, and of a connection one packet comes here.
		tallied(is(udp), named, key(port)),
		// A SYN alone opens a connection, also one that nobody tracks.
		tallied("tcp flags & (syn | ack) == syn", named, key(port)),
		"tcp flags & (syn | ack) != syn return",
		// The type and the code stand where others have the source port.
		tallied(is(control), named, key(sourcePort)),
		tallied(is(sctp), named, key(port)),
		joined(`${protocolKey} ${oneOf([control, tcp, udp, sctp].map(String))} `, goto(full)),
		tallied("ct state new", other, key("")),
		lost,
	];
	return store.chain(rules);
}
