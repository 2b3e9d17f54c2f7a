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
	let elsewhere = 0;
	for (const rule of rules) {
		const { kind, ...rest } = wayTo(rule.guestAddress);
		if (kind === "elsewhere") elsewhere += 1;
		if (kind !== "guest") continue;
		const bridge = "bridge" in rest ? rest.bridge : null;
		const [port, endPort] = rule.hostPorts;
		add(found, {
			protocol: rule.protocol,
			family: rule.family,
			address: rule.hostAddress ?? everyAddress[rule.family],
			port,
			endPort,
			guest: { address: rule.guestAddress, port: rule.guestPort ?? port },
			bridge,
			by: rule.by,
			hook: "forward",
		});
	}
	for (const proxy of proxies) {
		const way = wayTo(proxy.guest.address);
		add(found, { ...proxy, bridge: way.kind === "guest" ? way.bridge : null });
	}
	const all = [...found.values()].sort(order);
	return {
		published: all.slice(0, mostPublished),
		more: Math.max(0, all.length - mostPublished),
		elsewhere,
	};
}

function add(found: Map<string, PublishedPort>, port: PublishedPort): void {
	const key = `${port.protocol} ${port.family} ${port.address} ${port.port} ${port.endPort}`;
	// The first rule that is met decides.
	if (!found.has(key)) found.set(key, port);
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
		endPort: port,
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
