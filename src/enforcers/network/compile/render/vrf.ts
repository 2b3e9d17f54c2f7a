/**
 * In a VRF the VRF itself is the loopback interface: what a host sends to its own address there goes out and comes in by
 * it. So does what members carry. Going out that passes the hooks twice, by the VRF and then by the member, where it is
 * judged. Coming in it bears both names, but so does loopback of IPv6 (seen on Linux 6.1); what was sent just before
 * tells the two apart.
 */

import type { Direction, Family } from "../../../../base/model.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import { namesMembers, type RulesetForm } from "../plan.ts";
import type { Vrf } from "../program.ts";
import type { ObjectStore } from "./objects.ts";

/** How long what was sent is expected to come in again. It takes microseconds. */
const expectedFor = "1s";

const flow: Readonly<Record<Family, string>> = {
	4: "ip saddr . ip daddr . meta l4proto . th sport . th dport",
	6: "ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport",
};

/** The rules that accept loopback in these VRFs, for the beginning of a direction; none without VRFs. */
export function withinVrfs(
	store: ObjectStore,
	direction: Direction,
	{ vrfs = [], form }: { readonly vrfs?: readonly Pick<Vrf, "name">[]; readonly form: RulesetForm },
): readonly string[] {
	const names = vrfs.map(({ name }) => name).filter(isPlainInterface);
	// IPv4 needs no memory where the kernel tells a member's name.
	const named = namesMembers(form);
	const families: readonly Family[] = named ? [6] : [4, 6];
	return names.flatMap((name) => {
		const sets = families.map((family) => ({ key: flow[family], set: addSet(store, family) }));
		if (direction === "egress") {
			const notes = sets.map(({ key, set }) => `oifname "${name}" ct state new update @${set} { ${key} }`);
			return [...notes, `oifname "${name}" accept`];
		}
		const own = sets.map(({ key, set }) => `iifname "${name}" ${key} @${set} accept`);
		return named ? [`iifname "${name}" meta sdifname "${name}" accept`, ...own] : own;
	});
}

function addSet(store: ObjectStore, family: Family): string {
	const address = `ipv${family}_addr`;
	return store.add("set", [
		`type ${address} . ${address} . inet_proto . inet_service . inet_service`,
		"flags dynamic,timeout",
		`timeout ${expectedFor}`,
		"size 65536",
	]);
}
