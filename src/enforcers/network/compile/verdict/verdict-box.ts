/** Connections about which two sets of policies differ. */

import type { Action, Direction } from "../../../../base/model.ts";

/** Of a box: what is absent is every one that no other box names. */
export interface BoxSender {
	readonly user?: number;
	readonly group?: number;
	readonly service?: string;
}

/** Packets of which one set says `before`, the other `after`. Boxes of one answer never overlap. */
export interface VerdictBox extends BoxSender {
	readonly direction: Direction;
	/** As `portward explain` takes it; "any": every one that no other box names. */
	readonly protocol: string;
	/** Destination ports, inclusive; null: all, and for protocols without ports. */
	readonly ports: readonly [number, number] | null;
	/** Source ports, only where rules name some; absent: every one that no other box of the protocol names. */
	readonly sourcePorts?: readonly [number, number];
	/** The same of ICMP's types. */
	readonly icmpTypes?: readonly [number, number];
	/** Of the blocks, the addresses that match all of these, and no other that rules name; absent: those that no other box names. */
	readonly suffixes?: readonly string[];
	/** CIDR blocks, IPv4 before IPv6, in rising order. */
	readonly addresses: readonly string[];
	/** A name, or with a `*` at its end the beginning of one; null: every one that no other box names. */
	readonly interface: string | null;
	readonly before: Action;
	/** Equal to `before` only in a box that stands for an interface or a protocol of which nothing changes. */
	readonly after: Action;
}
