/**
 * Which bridges are a way to other hosts. Every other bridge is a network of
 * guests, as the kernel sees it by the kind of the interface alone; so one that
 * an engine makes while nobody watches is judged, and only exceptions are told.
 * Pure.
 */

import { isPlainInterface } from "../../document/iface.ts";
import type { Link } from "../../kernel/links.ts";
import { knownUplinks } from "./compile/guests.ts";

const bridge = "bridge";

/** What containers (veth) and virtual machines (tap devices are of kind tun) hang on a bridge by. */
const guestPorts: ReadonlySet<string> = new Set(["veth", "tun"]);

/** Whether what hangs on a bridge by this link is a guest. */
export function isGuestPort({ kind }: Pick<UplinkLink, "kind">): boolean {
	return guestPorts.has(kind);
}

/** What is told of a link. */
export type UplinkLink = Pick<Link, "index" | "name" | "kind" | "master">;

/** Bridges that no port shows to be an uplink: of these it has to be asked whether they have a default route. */
export function undecidedBridges(links: readonly UplinkLink[]): readonly UplinkLink[] {
	const outside = withOutsidePort(links);
	return links.filter(({ kind, name }) => kind === bridge && !outside.has(name));
}

/**
 * The names that are exempt, in alphabetical order.
 * @param withDefaultRoute indexes of interfaces.
 * @param named those of the settings.
 */
export function uplinksOf(
	links: readonly UplinkLink[],
	withDefaultRoute: ReadonlySet<number>,
	named: readonly string[] = [],
): readonly string[] {
	const outside = withOutsidePort(links);
	const found = links.filter(
		({ kind, name, index }) => kind === bridge && (outside.has(name) || withDefaultRoute.has(index)),
	);
	return [...new Set([...knownUplinks, ...named, ...found.map(({ name }) => name)])]
		.filter(isPlainInterface)
		.sort();
}

/** Names of bridges with a port that is no guest's. */
function withOutsidePort(links: readonly UplinkLink[]): ReadonlySet<string> {
	return new Set(
		links.flatMap(({ master, kind }) =>
			master?.kind === bridge && !isGuestPort({ kind }) ? [master.name] : [],
		),
	);
}
