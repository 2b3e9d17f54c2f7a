/** How packets are told to come from guests or to go to them, and what guests need of this host whatever the policies say. */

import type { Family } from "../../../../base/model.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import { byInterface, joined, jump } from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import { uplinkSet } from "../../names.ts";
import { interfaceKey } from "../atom.ts";
import type { GuestOptions } from "../guests.ts";
import type { ObjectStore } from "./objects.ts";

/**
 * Conditions, each of which says alone that guests are behind the interface by which a packet came (`iif`) or goes
 * (`oif`). The kernel tells what a bridge is, so a network that an engine makes while nobody watches has guests as well.
 */
export function behindGuests({ interfaces }: Pick<GuestOptions, "interfaces">, side: "iif" | "oif"): Rule[] {
	const named = interfaces
		.filter(({ name }) => isPlainInterface(name))
		.map((match) => byInterface(`${side}name`, interfaceKey(match)));
	return [[`meta ${side}kind "bridge" ${side}name != @`, uplinkSet], ...named];
}

/** Names by DNS from the bridge's own address, and addresses by DHCP. */
const services: Readonly<Record<Family, readonly string[]>> = {
	4: [
		"meta l4proto { 6, 17 } th dport 53 fib daddr . iif type local accept",
		"udp sport 68 udp dport 67 accept",
	],
	6: [
		"meta l4proto { 6, 17 } th dport 53 fib daddr . iif type local accept",
		"ip6 saddr fe80::/10 udp sport 546 udp dport 547 accept",
	],
};

/** Adds the chain of what guests ask this host for, and returns what leads to it. */
export function addGuestEssentials(
	store: ObjectStore,
	guests: GuestOptions,
	family: Family,
): readonly Rule[] {
	const chain = store.chain(services[family]);
	return behindGuests(guests, "iif").map((behind) => joined(behind, " ", jump(chain)));
}
