/** What is written of zones and services in every form of the graph. Pure. */

import type { Direction } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import type { Zone, ZoneService } from "../../compile/verdict/zones.ts";

/** Blocks and services that are written out; `--json` has them all. */
export const mostBlocks = 4;
export const mostServices = 24;
/** Zones of a direction that are drawn. */
export const mostZones = 40;

/** What stands over the zones of each direction. */
export type Headings = Readonly<Record<Direction, string>>;

export const ownHeadings: Headings = {
	ingress: "Into this host",
	egress: "Out of this host",
};

export const forwardedHeadings: Headings = {
	ingress: "To guests, by the port that the sender asked for",
	egress: "Out of guests",
};

/** A line for each block; a zone is never without one. */
export function zoneLines({ addresses, rest }: Zone): string[] {
	if (rest) return [restText(addresses)];
	const more = addresses.length - mostBlocks;
	return [...addresses.slice(0, mostBlocks), ...(more > 0 ? [`and ${more} more blocks`] : [])];
}

function restText(addresses: readonly string[]): string {
	const sixes = addresses.filter((address) => address.includes(":")).length;
	const family = sixes === 0 ? " (IPv4)" : sixes === addresses.length ? " (IPv6)" : "";
	const all = addresses.every((address) => address === "0.0.0.0/0" || address === "::/0");
	return `${all ? "anywhere" : "everywhere else"}${family}`;
}

export function interfaceText(zone: Zone): string {
	return zone.interface === null ? "" : `on ${zone.interface}`;
}

export function serviceText({ protocol, ports }: Pick<ZoneService, "protocol" | "ports">): string {
	return ports === null ? protocol : `${protocol} ${rangeText({ first: ports[0], last: ports[1] })}`;
}

/** The zones of both directions that are drawn, and how many are not. */
export function drawn(zones: readonly Zone[]) {
	return (["ingress", "egress"] as const).map((direction) => {
		const own = zones.filter((zone) => zone.direction === direction);
		return { direction, zones: own.slice(0, mostZones), hidden: Math.max(0, own.length - mostZones) };
	});
}
