/** What is known of the guests of this host: containers and virtual machines behind its bridges. Plain data. */

import type { Family, Transport } from "../../../../base/model.ts";

/** A network of guests: a bridge, or an interface that the settings name. */
export interface GuestBridge {
	readonly name: string;
	/** ADDRESS/PREFIX of the networks that this host has an address in. */
	readonly subnets: readonly string[];
	/** Interfaces of guests on it. */
	readonly ports: number;
}

/** An interface to which guests' rules do not apply. */
export interface Uplink {
	readonly name: string;
	/** Such as `eth0 is a port of it`. */
	readonly reason: string;
}

/** A port of the host that leads to a guest; each of a range is one. */
export interface PublishedPort {
	readonly protocol: Transport;
	readonly family: Family;
	/** Of the host; 0.0.0.0 or :: for every one. */
	readonly address: string;
	readonly port: number;
	readonly guest: { readonly address: string; readonly port: number };
	/** The bridge that the guest is on; null where that cannot be told. */
	readonly bridge: string | null;
	/** Who published it: a program, or the chain of the rule that does it. */
	readonly by: string;
	/**
	 * Where its packets are judged: `forward` where a rule translates them on their way to the guest, `input` where a
	 * program of this host takes them.
	 */
	readonly hook: "forward" | "input";
}

export interface GuestFacts {
	readonly bridges: readonly GuestBridge[];
	readonly uplinks: readonly Uplink[];
	/** The interfaces by which others come, uplinks among them. */
	readonly outside: readonly string[];
	/** At most `mostPublished`. */
	readonly published: readonly PublishedPort[];
	/** How many more there are. */
	readonly more: number;
	/** What reaches guests past every rule, each in a sentence. */
	readonly unjudged: readonly string[];
}

/** Published ports that are told; a machine full of containers has some hundred. */
export const mostPublished = 1000;
