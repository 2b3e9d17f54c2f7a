/** The addresses of guests: what the interfaces lead to behind which they are. */

import type { InterfaceMatch } from "../../../base/model.ts";
import type { AddressBlocks } from "../../../kernel/address-blocks.ts";
import { addressesBehind } from "../../../kernel/interface-routes.ts";
import { type Link, readLinks } from "../../../kernel/links.ts";

/** Where guests are, as the ruleset in force has it. */
export interface GuestPlaces {
	/** Interfaces behind which guests are, beside bridges. */
	readonly interfaces: readonly InterfaceMatch[];
	/** Bridges behind which none are. */
	readonly uplinks: readonly string[];
}

/** The interfaces among these that lead to guests. Pure. */
export function guestInterfaces<One extends Pick<Link, "name" | "kind">>(
	links: readonly One[],
	{ interfaces, uplinks }: GuestPlaces,
): readonly One[] {
	const exempt = new Set(uplinks);
	const isNamed = (name: string) =>
		interfaces.some((one) => (one.prefix ? name.startsWith(one.name) : name === one.name));
	return links.filter(({ name, kind }) => (kind === "bridge" && !exempt.has(name)) || isNamed(name));
}

export function readGuestAddresses(
	places: GuestPlaces,
): { readonly ok: true; readonly addresses: AddressBlocks } | { readonly ok: false; readonly error: string } {
	const read = readLinks();
	return read.ok ? addressesBehind(guestInterfaces(read.links, places).map(({ index }) => index)) : read;
}
