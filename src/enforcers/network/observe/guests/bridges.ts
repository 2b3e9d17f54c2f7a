/** The bridges of this host: which are networks of guests, and why the others are none. Pure. */

import { formatCidr } from "../../../../base/cidr.ts";
import type { Cidr, InterfaceMatch } from "../../../../base/model.ts";
import { knownUplinks } from "../../compile/guests.ts";
import { isGuestPort, type UplinkLink, uplinksOf } from "../../uplinks.ts";
import type { GuestFacts } from "./guests.ts";

export type Bridges = Pick<GuestFacts, "bridges" | "uplinks" | "outside">;

/** What the settings say of guests. */
export interface NamedGuests {
	/** Interfaces behind which guests are, whatever their kind. */
	readonly interfaces: readonly InterfaceMatch[];
	readonly uplinks: readonly string[];
}

/** Interfaces by which others come that are told; what rules tell apart is far fewer. */
const mostOutside = 64;

/**
 * @param withDefaultRoute indexes of interfaces
 * @param subnets by the index of the interface
 */
export function bridgesOf(
	links: readonly UplinkLink[],
	withDefaultRoute: ReadonlySet<number>,
	named: NamedGuests,
	subnets: ReadonlyMap<number, readonly Cidr[]>,
): Bridges {
	const uplinks = new Set(uplinksOf(links, withDefaultRoute, named.uplinks));
	const portsOf = (name: string) =>
		links.filter(({ master }) => master?.kind === "bridge" && master.name === name);
	const isNamed = (name: string) =>
		named.interfaces.some((one) => (one.prefix ? name.startsWith(one.name) : name === one.name));
	const networks = links.filter(({ kind, name }) => kind === "bridge" || isNamed(name));
	const reason = ({ name, index }: UplinkLink): string => {
		const outside = portsOf(name).find((port) => !isGuestPort(port));
		if (outside !== undefined) return `${outside.name} is a port of it`;
		if (withDefaultRoute.has(index)) return "it has a default route";
		return knownUplinks.includes(name)
			? "its name is that of a network of Kubernetes"
			: "guests.uplinks names it";
	};
	const guests = networks.filter(({ name }) => !uplinks.has(name));
	return {
		bridges: guests.map(({ name, index }) => ({
			name,
			subnets: [...new Set((subnets.get(index) ?? []).map(formatCidr))],
			ports: portsOf(name).length,
		})),
		uplinks: links
			.filter(({ name }) => uplinks.has(name))
			.map((link) => ({ name: link.name, reason: reason(link) })),
		// Packets that come by a member of a bridge or bond bear its name.
		outside: links
			.filter(({ name, master }) => name !== "lo" && (master === null || master.kind === "vrf"))
			.filter((link) => !guests.includes(link))
			.slice(0, mostOutside)
			.map(({ name }) => name),
	};
}
