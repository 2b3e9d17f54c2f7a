/** What this host shows of its guests now: asked of the kernel and of /proc, no engine's socket. */

import { readFileSync } from "node:fs";
import { maskBase, parseAddress } from "../../../../base/cidr.ts";
import type { Cidr } from "../../../../base/model.ts";
import { interfacesWithForeignAddresses } from "../../../../kernel/guests/forwarding-database.ts";
import { processesNamed } from "../../../../kernel/guests/process-arguments.ts";
import { subnets } from "../../../../kernel/guests/subnets.ts";
import { withDefaultRoute } from "../../../../kernel/interface-routes.ts";
import { type Link, readLinks } from "../../../../kernel/links.ts";
import { listeners } from "../../../../kernel/listeners.ts";
import { LocalRoutes, RouteLookup } from "../../../../kernel/routes.ts";
import { undecidedBridges } from "../../uplinks.ts";
import { type ForeignChain, foreignChains } from "../foreign-chains.ts";
import { natRules } from "../nat-rules.ts";
import { type Bridges, bridgesOf, type NamedGuests } from "./bridges.ts";
import type { GuestFacts, PublishedPort } from "./guests.ts";
import { dockerProxy, dockerProxyPort, publishedBy, publishedPorts, type Way } from "./published.ts";
import { unjudgedTexts } from "./unjudged.ts";

/** Rules and routes that are asked for in all; more ports than that are told by their number alone. */
const mostLookups = 4096;

export type GuestsRead =
	| { readonly ok: true; readonly facts: GuestFacts }
	| { readonly ok: false; readonly error: string };

/** Who is no root sees bridges, and of published ports only what a program says. @param table our own */
export function readGuests(table: string, named: NamedGuests): GuestsRead {
	const read = readLinks();
	if (!read.ok) return read;
	const routes = withDefaultRoute(undecidedBridges(read.links).map(({ index }) => index));
	const withRoute = routes.ok ? routes.indexes : new Set<number>();
	const networks = subnets();
	const bridges = bridgesOf(read.links, withRoute, named, networks);
	const chains = foreignChains(table);
	const { elsewhere, ...published } = readPublished(
		chains.ok ? chains.chains : [],
		new Ways(read.links, bridges, networks),
	);
	const unjudged = unjudgedTexts({
		...unjudgedLinks(read.links),
		ipvs: hasIpvs(),
		kubernetes: chains.ok && chains.chains.some(({ tools }) => tools.includes("Kubernetes")),
		elsewhere,
	});
	return { ok: true, facts: { ...bridges, ...published, unjudged } };
}

function readPublished(chains: readonly ForeignChain[], ways: Ways) {
	const rules = [];
	for (const rule of natRules(chains, ["prerouting"])) {
		const found = publishedBy(rule);
		if (found !== null) rules.push(found);
	}
	const proxies = readProxies();
	try {
		return publishedPorts(rules, proxies, (address) => ways.to(address));
	} finally {
		ways.close();
	}
}

/** /proc has the processes of other networks as well: those of this one have a socket here. */
function readProxies(): PublishedPort[] {
	const named = processesNamed(new Set([dockerProxy]));
	const read = named.length === 0 ? null : listeners();
	if (read === null || !read.ok) return [];
	const heard = new Set(
		read.listeners.map(({ protocol, address, port }) => `${protocol} ${address} ${port}`),
	);
	return named
		.flatMap(({ args }) => dockerProxyPort(args) ?? [])
		.filter(({ protocol, address, port }) => heard.has(`${protocol} ${address} ${port}`));
}

/** Where addresses lead: by the networks of bridges, else by asking the routes. */
class Ways {
	readonly #guests: readonly {
		readonly name: string;
		readonly index: number;
		readonly blocks: readonly Cidr[];
	}[];
	readonly #local: LocalRoutes | null;
	readonly #routes: RouteLookup | null;
	readonly #known = new Map<string, Way>();

	constructor(links: readonly Link[], { bridges }: Bridges, networks: ReadonlyMap<number, readonly Cidr[]>) {
		const names = new Set(bridges.map(({ name }) => name));
		this.#guests = links
			.filter(({ name }) => names.has(name))
			.map(({ name, index }) => ({ name, index, blocks: networks.get(index) ?? [] }));
		const local = LocalRoutes.read();
		this.#local = local.ok ? local.routes : null;
		this.#routes = RouteLookup.open();
	}

	to(address: string): Way {
		const known = this.#known.get(address);
		if (known !== undefined) return known;
		const way = this.#find(address);
		this.#known.set(address, way);
		return way;
	}

	close(): void {
		this.#routes?.close();
	}

	#find(text: string): Way {
		if (this.#local?.has(text)) return { kind: "host" };
		const address = parseAddress(text);
		if ("message" in address) return { kind: "elsewhere" };
		const { family, value } = address;
		const own = this.#guests.find(({ blocks }) =>
			blocks.some((block) => block.family === family && maskBase(value, family, block.prefix) === block.base),
		);
		if (own !== undefined) return { kind: "guest", bridge: own.name };
		if (this.#known.size >= mostLookups) return { kind: "elsewhere" };
		const index = this.#routes?.interfaceTo(text, "") ?? null;
		const routed = this.#guests.find((guest) => guest.index === index);
		return routed === undefined ? { kind: "elsewhere" } : { kind: "guest", bridge: routed.name };
	}
}

function unjudgedLinks(links: readonly Link[]) {
	const foreign = interfacesWithForeignAddresses();
	return {
		// A bridge's ports take packets for what is behind it.
		parents: links
			.filter(
				({ index, master, kind }) => foreign.has(index) && master?.kind !== "bridge" && kind !== "vxlan",
			)
			.map(({ name }) => name),
		macvtaps: links.filter(({ kind }) => kind === "macvtap").map(({ name }) => name),
	};
}

/** Three lines of headings stand before the first service (net/netfilter/ipvs/ip_vs_ctl.c). */
function hasIpvs(): boolean {
	try {
		return readFileSync("/proc/thread-self/net/ip_vs", "latin1").trimEnd().split("\n").length > 3;
	} catch {
		return false;
	}
}
