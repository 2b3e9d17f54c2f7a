/**
 * Who asks whom on a host with containers, and what becomes of it: without
 * Portward, with the policies below, and with the egress allow-list. These are
 * the promises of docs/containers.md; every line is a real question to a real server.
 */

import { block, policy, port } from "../../system/support/case.ts";
import type { Engine } from "./engine.ts";
import { addresses as a } from "./world.ts";

export const one = { name: "one", subnet4: "172.30.1.0/24", subnet6: "fd00:30:1::/64" } as const;
export const two = { name: "two", subnet4: "172.30.2.0/24", subnet6: "fd00:30:2::/64" } as const;
export const web4 = "172.30.1.2";
export const web6 = "fd00:30:1::2";
export const peer4 = "172.30.1.3";
export const second4 = "172.30.2.2";
/** The host's own address on the first bridge. */
export const bridge4 = "172.30.1.1";
export const bridge6 = "fd00:30:1::1";

export const enforced = {
	"ingress.yaml": policy("let-in", {
		action: "Allow",
		ingress: [
			{ ports: [port("TCP", 22)] },
			{
				from: [block(`${a.allowed4}/32`), block(`${a.allowed6}/128`)],
				ports: [port("TCP", 5432), port("TCP", 15432)],
			},
		],
	}),
	"egress.yaml": policy("keep-in", {
		action: "Block",
		egress: [{ ports: [port("TCP", 8053), port("UDP", 53)] }],
	}),
};

/** Under it the host's own answers to its containers are allowed by no rule. */
export const egressAllowList = {
	...enforced,
	"egress.yaml": policy("http-alone", {
		action: "Allow",
		egress: [{ ports: [port("TCP", 80)] }],
	}),
};

/** Whose network namespace it is, and from which address he asks. */
export type Asker =
	| "allowed"
	| "stranger"
	| "allowed6"
	| "stranger6"
	| "beyond"
	| "host"
	| "web"
	/** The container `web`, from the port of DHCP clients. */
	| "dhcp"
	| "peer";

export interface Situation {
	readonly title: string;
	readonly who: Asker;
	readonly protocol: "tcp" | "udp";
	readonly address: string;
	readonly port: number;
	/** Whether it is answered without Portward. */
	readonly without: boolean;
	/** With `enforced`. */
	readonly enforced: boolean;
	/** With `egressAllowList`; as with `enforced` when absent. */
	readonly allowList?: boolean;
	/** Whether a process of the engine on the host takes it in and sends it on, so that no packet is forwarded. */
	readonly byProxy: boolean;
}

type Row = readonly [
	title: string,
	who: Asker,
	to: string,
	without: boolean,
	enforced: boolean,
	allowList?: boolean,
];

const published: readonly Row[] = [
	["a neighbour that is allowed → published", "allowed", `tcp ${a.host4} 5432`, true, true],
	["a stranger → published", "stranger", `tcp ${a.host4} 5432`, true, false],
	["a neighbour that is allowed → published, IPv6", "allowed6", `tcp ${a.host6} 5432`, true, true],
	["a stranger → published, IPv6", "stranger6", `tcp ${a.host6} 5432`, true, false],
	["allowed → published under another number", "allowed", `tcp ${a.host4} 15432`, true, true],
	["a stranger → published under another number", "stranger", `tcp ${a.host4} 15432`, true, false],
	["allowed → published under another number, IPv6", "allowed6", `tcp ${a.host6} 15432`, true, true],
	["a stranger → published under another number, IPv6", "stranger6", `tcp ${a.host6} 15432`, true, false],
	["published over UDP on one address, no rule", "beyond", `udp ${a.second4} 9000`, true, false],
	[
		"the network of the host: what listens there is the host's",
		"stranger",
		`tcp ${a.host4} 7777`,
		true,
		false,
	],
	["the host's own port that is allowed", "stranger", `tcp ${a.host4} 22`, true, true],
];

const direct = (engine: Engine["name"]): readonly Row[] => {
	// Docker drops of its own accord what no container publishes.
	const unpublished = engine === "podman";
	return [
		["allowed → the container's address, a port with a rule", "allowed", `tcp ${web4} 5432`, true, true],
		["a stranger → the container's address", "stranger", `tcp ${web4} 5432`, true, false],
		["allowed → the container's IPv6 address", "allowed6", `tcp ${web6} 5432`, true, true],
		["a stranger → the container's IPv6 address", "stranger6", `tcp ${web6} 5432`, true, false],
		["a port that is not published, directly", "allowed", `tcp ${web4} 6000`, unpublished, false],
		["a port that is not published, IPv6", "allowed6", `tcp ${web6} 6000`, unpublished, false],
		["published on loopback, by the container's address", "stranger", `tcp ${web4} 80`, true, false],
	];
};

const fromHost: readonly Row[] = [
	["the host → published on loopback", "host", "tcp 127.0.0.1 8080", true, true],
	["the host → published, by loopback", "host", "tcp 127.0.0.1 5432", true, true],
	["the host → published, by its own address", "host", `tcp ${a.host4} 5432`, true, true],
	["the host → the container's address", "host", `tcp ${web4} 5432`, true, true],
	["the host → the container's IPv6 address", "host", `tcp ${web6} 5432`, true, true],
	["the host → outside, blocked", "host", `tcp ${a.allowed4} 8053`, true, false],
	["the host → outside", "host", `tcp ${a.allowed4} 80`, true, true],
];

const fromContainers = (engine: Engine["name"]): readonly Row[] => [
	["a container → outside", "web", `tcp ${a.allowed4} 80`, true, true],
	["a container → outside, IPv6", "web", `tcp ${a.allowed6} 80`, true, true],
	["a container → outside, blocked", "web", `tcp ${a.allowed4} 8053`, true, false],
	["a container → outside, blocked, IPv6", "web", `tcp ${a.allowed6} 8053`, true, false],
	["a container → a name server outside, blocked", "web", `udp ${a.beyond4} 53`, true, false],
	["a container → outside, which no rule names", "web", `tcp ${a.beyond4} 443`, true, true, false],
	["a container → its neighbour on the same bridge", "peer", `tcp ${web4} 6000`, true, true],
	["a container → its neighbour, IPv6", "peer", `tcp ${web6} 6000`, true, true],
	// Across bridges the engine decides.
	["a container → another bridge", "web", `tcp ${second4} 7000`, engine === "podman", engine === "podman"],
	["a container → published from another bridge", "web", `tcp ${a.host4} 7000`, true, false],
	["a container → the host's own port that is allowed", "web", `tcp ${bridge4} 22`, true, true],
	["a container → the host's own port that no rule allows", "web", `tcp ${bridge4} 7777`, true, false],
	["DHCP on the bridge", "dhcp", `udp ${bridge4} 67`, true, true],
	...(engine === "docker"
		? ([
				["DNS on the bridge", "web", `udp ${bridge4} 53`, true, true],
				["DNS over TCP on the bridge", "web", `tcp ${bridge4} 53`, true, true],
				["DNS on the bridge, IPv6", "web", `udp ${bridge6} 53`, true, true],
				["the host → published, by loopback and docker-proxy", "host", "tcp ::1 5432", true, true],
			] as const)
		: []),
];

const beside = (engine: Engine["name"]): readonly Row[] => {
	// Docker switched forwarding on, so it drops what no container is in; an Allow of ours opens nothing there.
	const routed = engine === "podman";
	return [
		["outside → outside, which is routed alone", "stranger", `tcp ${a.beyond4} 80`, routed, routed],
		["outside → outside, to a port that is blocked", "stranger", `tcp ${a.beyond4} 8053`, routed, routed],
		["outside → outside, IPv6", "stranger6", `tcp ${a.beyond6} 8053`, routed, routed],
	];
};

export function situations(engine: Engine["name"]): Situation[] {
	const rows = [...published, ...direct(engine), ...fromHost, ...fromContainers(engine), ...beside(engine)];
	return rows.map(([title, who, to, without, withPolicies, allowList]) => {
		const [protocol, address = "", number] = to.split(" ");
		return {
			title,
			who,
			protocol: protocol === "udp" ? "udp" : "tcp",
			address,
			port: Number(number),
			without,
			enforced: withPolicies,
			...(allowList === undefined ? {} : { allowList }),
			// Docker does not translate what comes from its own bridges.
			byProxy: engine === "docker" && number === "7000" && who === "web",
		};
	});
}
