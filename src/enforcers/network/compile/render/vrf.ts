/**
 * In a VRF the VRF itself is the loopback interface: what a host sends to its own address there goes out and comes in by
 * it. So does what members carry. Going out that passes the hooks twice, by the VRF and then by the member, where it is
 * judged. Coming in it bears both names, but so does loopback of IPv6 (seen on Linux 6.1); what was sent just before
 * tells the two apart.
 */

import type { Direction, Family } from "../../../../base/model.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import {
	addressKey,
	addressType,
	byInterface,
	concatenation,
	destinationPort,
	inSet,
	noted,
	portType,
	protocolKey,
	protocolType,
	sourcePort,
} from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import { namesMembers, type RulesetForm } from "../plan.ts";
import type { Vrf } from "../program.ts";
import type { ObjectStore } from "./objects.ts";

/** How long what was sent is expected to come in again, in seconds. It takes microseconds. */
const expectedFor = 1;

function flowKey(family: Family): string {
	const addresses = [addressKey(family, "saddr"), addressKey(family, "daddr")];
	return concatenation(...addresses, protocolKey, sourcePort, destinationPort);
}

/** The rules that accept loopback in these VRFs, for the beginning of a direction; none without VRFs. */
export function withinVrfs(
	store: ObjectStore,
	direction: Direction,
	{ vrfs = [], form }: { readonly vrfs?: readonly Pick<Vrf, "name">[]; readonly form: RulesetForm },
): readonly Rule[] {
	const names = vrfs.map(({ name }) => name).filter(isPlainInterface);
	// IPv4 needs no memory where the kernel tells a member's name.
	const named = namesMembers(form);
	const families: readonly Family[] = named ? [6] : [4, 6];
	return names.flatMap((name) => {
		const sets = families.map((family) => ({ key: flowKey(family), set: addSet(store, family) }));
		if (direction === "egress") {
			const out = byInterface("oifname", name);
			return [...sets.map(({ key, set }) => noted(`${out} ct state new`, set, key)), `${out} accept`];
		}
		const within = byInterface("iifname", name);
		const own = sets.map(({ key, set }) => inSet(`${within} ${key}`, set, "accept"));
		return named ? [`${within} ${byInterface("meta sdifname", name)} accept`, ...own] : own;
	});
}

function addSet(store: ObjectStore, family: Family): string {
	const address = addressType(family);
	return store.set({
		type: concatenation(address, address, protocolType, portType, portType),
		flags: ["dynamic", "timeout"],
		timeout: expectedFor,
		size: 65_536,
		keys: "",
	});
}
