/** The uplinks among the bridges of this network namespace, as they are now. */

import { withDefaultRoute } from "../../../kernel/interface-routes.ts";
import { type LinksResult, readLinks } from "../../../kernel/links.ts";
import { undecidedBridges, uplinksOf } from "../uplinks.ts";

export type UplinksRead =
	| { readonly ok: true; readonly names: readonly string[] }
	| { readonly ok: false; readonly error: string };

/** @param named those of the settings. */
export function readUplinks(named: readonly string[] = [], read: LinksResult = readLinks()): UplinksRead {
	if (!read.ok) return read;
	const routes = withDefaultRoute(undecidedBridges(read.links).map(({ index }) => index));
	return routes.ok ? { ok: true, names: uplinksOf(read.links, routes.indexes, named) } : routes;
}
