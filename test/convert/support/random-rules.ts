/** Random ordered rules in chains that call each other, and what the first that matches says. */

import fc from "fast-check";
import type { Host } from "./host.ts";

export interface Rule {
	readonly block: string | null;
	readonly notBlock: boolean;
	readonly protocol: "tcp" | "udp" | "icmp" | "gre" | null;
	readonly ports: readonly [number, number] | null;
	readonly notPorts: boolean;
	readonly source: number | null;
	readonly link: string | null;
	readonly notLink: boolean;
	readonly target: "ACCEPT" | "DROP" | "REJECT" | "RETURN" | "one" | "two";
	readonly goes: boolean;
}

export interface Packet {
	readonly address: string;
	readonly protocol: "tcp" | "udp" | "icmp" | "gre" | "sctp";
	readonly port: number;
	readonly source: number;
	readonly link: string;
}

const blocks = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "192.0.2.0/24", "10.1.1.1/32"];
const addresses = ["10.0.0.1", "10.1.0.1", "10.1.1.1", "10.1.1.2", "192.0.2.1", "203.0.113.1"];
const ranges = [
	[22, 22],
	[1, 1023],
	[20, 25],
	[80, 90],
] as const;
const ports = [22, 24, 80, 1023, 1024];
const links = ["eth0", "eth+", "wg0"];

export const rule = (targets: readonly Rule["target"][]): fc.Arbitrary<Rule> =>
	fc.record({
		block: fc.option(fc.constantFrom(...blocks)),
		notBlock: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
		protocol: fc.option(fc.constantFrom("tcp", "tcp", "udp", "icmp", "gre")),
		ports: fc.option(fc.constantFrom(...ranges)),
		notPorts: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
		source: fc.option(fc.constantFrom(8, 53), { freq: 1 }),
		link: fc.option(fc.constantFrom(...links), { freq: 1 }),
		notLink: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
		target: fc.constantFrom(...targets),
		goes: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
	});

export const hasPorts = ({ protocol }: Rule) => protocol === "tcp" || protocol === "udp";

export function textOf(chain: string, one: Rule): string {
	const not = (negated: boolean) => (negated ? "! " : "");
	const words = [`-A ${chain}`];
	if (one.block !== null) words.push(`${not(one.notBlock)}-s ${one.block}`);
	if (one.link !== null) words.push(`${not(one.notLink)}-i ${one.link}`);
	if (one.protocol !== null) words.push(`-p ${one.protocol}`);
	if (one.protocol === "icmp" && one.source === 8) words.push("--icmp-type 8");
	if (hasPorts(one) && one.source !== null) words.push(`--sport ${one.source}`);
	if (hasPorts(one) && one.ports !== null) words.push(`${not(one.notPorts)}--dport ${one.ports.join(":")}`);
	const jumps = one.target === "one" || one.target === "two";
	words.push(`${jumps && one.goes ? "-g" : "-j"} ${one.target}`);
	return words.join(" ");
}

function number(address: string): number {
	return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function inBlock(address: string, block: string): boolean {
	const [base = "", prefix = "32"] = block.split("/");
	const size = 2 ** (32 - Number(prefix));
	return Math.floor(number(address) / size) === Math.floor(number(base) / size);
}

function matches(one: Rule, packet: Packet): boolean {
	if (one.block !== null && inBlock(packet.address, one.block) === one.notBlock) return false;
	if (one.link !== null) {
		const own = one.link.endsWith("+")
			? packet.link.startsWith(one.link.slice(0, -1))
			: packet.link === one.link;
		if (own === one.notLink) return false;
	}
	if (one.protocol !== null && one.protocol !== packet.protocol) return false;
	if (one.protocol === "icmp" && one.source === 8 && packet.source !== 8) return false;
	if (!hasPorts(one)) return true;
	if (one.source !== null && one.source !== packet.source) return false;
	const [first, last] = one.ports ?? [0, 65535];
	return one.ports === null || (first <= packet.port && packet.port <= last) !== one.notPorts;
}

export type Chains = Readonly<Record<"INPUT" | "one" | "two", readonly Rule[]>>;

/** Null: the chain's end, or a return. */
export function walk(chains: Chains, name: keyof Chains, packet: Packet): "Allow" | "Block" | null {
	for (const one of chains[name]) {
		if (!matches(one, packet)) continue;
		if (one.target === "ACCEPT") return "Allow";
		if (one.target === "DROP" || one.target === "REJECT") return "Block";
		if (one.target === "RETURN") return null;
		const verdict = walk(chains, one.target, packet);
		if (verdict !== null || one.goes) return verdict;
	}
	return null;
}

export const packets: readonly Packet[] = addresses.flatMap((address) =>
	(["tcp", "udp", "icmp", "gre", "sctp"] as const).flatMap((protocol) =>
		["eth0", "eth1", "wg0", "wlan0"].flatMap((link) =>
			[8, 53, 4000].flatMap((source) =>
				(protocol === "tcp" || protocol === "udp" || protocol === "sctp" ? ports : [0]).map((port) => ({
					address,
					protocol,
					port,
					source,
					link,
				})),
			),
		),
	),
);

/** Chains of which only the first may be long. */
export function chains(): fc.Arbitrary<Chains> {
	const terminal = ["ACCEPT", "DROP", "REJECT"] as const;
	return fc.record({
		INPUT: fc.array(rule([...terminal, "ACCEPT", "DROP", "one", "two", "RETURN"]), { maxLength: 8 }),
		one: fc.array(rule([...terminal, "RETURN", "two"]), { maxLength: 4 }),
		two: fc.array(rule([...terminal, "RETURN"]), { maxLength: 3 }),
	});
}

/** Asks a host about every packet; throws where it says something else than the rules. */
export function compare(all: Chains, policy: "ACCEPT" | "DROP", host: Host): void {
	for (const packet of packets) {
		const { protocol } = packet;
		const expected = walk(all, "INPUT", packet) ?? (policy === "ACCEPT" ? "Allow" : "Block");
		const verdict = host.verdict({
			address: packet.address,
			protocol: protocol === "icmp" ? 1 : protocol === "gre" ? 47 : protocol,
			port: packet.port,
			source: protocol === "gre" ? null : packet.source,
			interface: packet.link,
		});
		if (verdict !== expected) throw new Error(`${JSON.stringify(packet)}: not ${expected}\n${host.text}`);
	}
}
