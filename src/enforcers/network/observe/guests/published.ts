/** The published ports of this host, put together from rules that translate and from programs that listen for guests. Pure. */

import { parseAddress } from "../../../../base/cidr.ts";
import type { Family, Transport } from "../../../../base/model.ts";
import { toolsOf } from "../foreign-chains.ts";
import type { NatRule } from "../nat-rules.ts";
import { type DnatRule, readDnatRule } from "./dnat-rule.ts";
import { mostPublished, type PublishedPort } from "./guests.ts";

/** Where packets to an address go: the bridge of guests, this host itself, or another place. */
export type Way =
	| { readonly kind: "guest"; readonly bridge: string | null }
	| { readonly kind: "host" | "elsewhere" };

export interface PublishedPorts {
	readonly published: readonly PublishedPort[];
	/** How many more there are. */
	readonly more: number;
	/** Rules that lead ports to other machines: what they forward no policy judges. */
	readonly elsewhere: number;
}

/** The program that Docker starts for each published port, by the first 15 bytes of its name. */
export const dockerProxy = "docker-proxy";

const everyAddress: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

/** A rule as `natRules` yields it, which is good for one step: so this is a step of its own. */
export function publishedBy(rule: NatRule): (DnatRule & { readonly by: string }) | null {
	const read = readDnatRule(rule);
	if (read === null) return null;
	const { family, table, chain, tools } = rule;
	const [own = tools.length === 1 ? tools[0] : undefined] = toolsOf(table, chain);
	return { ...read, by: own ?? `${family} ${table} ${chain}` };
}

/** One entry for each port: where a rule translates it, a program that listens for it is only asked by this host itself. */
export function publishedPorts(
	rules: readonly (DnatRule & { readonly by: string })[],
	proxies: readonly PublishedPort[],
	wayTo: (address: string) => Way,
): PublishedPorts {
	const found = new Map<string, PublishedPort>();
	let [more, elsewhere] = [0, 0];
	for (const { hostPorts, hostAddress, guestPort, guestAddress, ...rule } of rules) {
		const way = wayTo(guestAddress);
		if (way.kind === "elsewhere") elsewhere += 1;
		if (way.kind !== "guest") continue;
		const [first, last] = hostPorts;
		const told = Math.min(last, first + mostPublished - found.size - 1);
		more += last - told;
		for (let port = first; port <= told; port++) {
			add(found, {
				...{ protocol: rule.protocol, family: rule.family },
				address: hostAddress ?? everyAddress[rule.family],
				port,
				guest: { address: guestAddress, port: guestPort ?? port },
				bridge: way.bridge,
				by: rule.by,
				hook: "forward",
			});
		}
	}
	for (const proxy of proxies) {
		const way = wayTo(proxy.guest.address);
		if (found.size < mostPublished || found.has(keyOf(proxy)))
			add(found, { ...proxy, bridge: way.kind === "guest" ? way.bridge : null });
		else more += 1;
	}
	return { published: [...found.values()].sort(order), more, elsewhere };
}

/** The first rule that is met decides. */
function add(found: Map<string, PublishedPort>, port: PublishedPort): void {
	const key = keyOf(port);
	if (!found.has(key)) found.set(key, port);
}

function keyOf({ protocol, family, address, port }: PublishedPort): string {
	return `${protocol} ${family} ${address} ${port}`;
}

function order(a: PublishedPort, b: PublishedPort): number {
	return (
		a.protocol.localeCompare(b.protocol) ||
		a.port - b.port ||
		a.family - b.family ||
		(a.address < b.address ? -1 : a.address > b.address ? 1 : 0)
	);
}

/** What a docker-proxy was started for; null for another command line. @param args its own name first */
export function dockerProxyPort(args: readonly string[]): PublishedPort | null {
	const named = new Map<string, string>();
	for (const [at, name] of args.entries()) {
		const value = args[at + 1];
		if (name.startsWith("-") && value !== undefined) named.set(name.replace(/^-+/u, ""), value);
	}
	const protocol = named.get("proto");
	const host = parseAddress(named.get("host-ip") ?? "");
	const guest = named.get("container-ip") ?? "";
	const [port, guestPort] = [portOf(named.get("host-port")), portOf(named.get("container-port"))];
	if (!isProxied(protocol) || "message" in host || port === null || guestPort === null) return null;
	if ("message" in parseAddress(guest)) return null;
	return {
		protocol,
		family: host.family,
		address: named.get("host-ip") ?? "",
		port,
		guest: { address: guest, port: guestPort },
		bridge: null,
		by: "Docker",
		hook: "input",
	};
}

function isProxied(protocol: string | undefined): protocol is Transport {
	return protocol === "tcp" || protocol === "udp" || protocol === "sctp";
}

function portOf(text: string | undefined): number | null {
	return text !== undefined && /^[1-9]\d{0,4}$/u.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}
