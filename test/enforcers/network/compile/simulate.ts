/**
 * Evaluates a rendered table for a packet, from its text alone. It knows only
 * the few forms of rules that the compiler writes and throws on any other, so
 * text that strays from them fails the tests.
 */

import { parseCidr } from "../../../../src/base/cidr.ts";
import type { OraclePacket } from "./oracle.ts";
import { senderVerdict } from "./simulate-senders.ts";

interface Element {
	/** One inclusive range per field of the key. */
	readonly ranges: readonly (readonly [bigint, bigint])[];
	readonly verdict: string;
}

export interface ParsedTable {
	readonly chains: ReadonlyMap<string, readonly string[]>;
	readonly elements: ReadonlyMap<string, readonly Element[]>;
	readonly counters: ReadonlySet<string>;
}

export interface SimulatedVerdict {
	readonly verdict: "accept" | "drop";
	/** The rule id of the last counter on the way, null without one. */
	readonly rule: string | null;
}

const transportNumbers = { tcp: 6n, udp: 17n, sctp: 132n } as const;

/** A protocol that no rule of the tests names. */
const otherProtocol = 251n;

function protocolNumber(protocol: OraclePacket["protocol"]): bigint {
	if (protocol === null) return otherProtocol;
	return typeof protocol === "number" ? BigInt(protocol) : transportNumbers[protocol];
}

/** A source port or ICMP type that no rule of the tests names. */
const otherSource = 253n;

function range(text: string): readonly [bigint, bigint] {
	if (/^\d+(-\d+)?$/.test(text)) {
		const [first = "", last = first] = text.split("-");
		return [BigInt(first), BigInt(last)];
	}
	const [low = "", high] = text.split("-");
	const first = parseCidr(low);
	const last = parseCidr(high ?? low);
	if (!first.ok || !last.ok || first.hostBits) throw new Error(`not an address: ${text}`);
	const size = 1n << BigInt((last.cidr.family === 4 ? 32 : 128) - last.cidr.prefix);
	return [first.cidr.base, last.cidr.base + size - 1n];
}

function overlap(a: Element, b: Element): boolean {
	return a.ranges.every(([first, last], i) => {
		const other = b.ranges[i];
		return other !== undefined && first <= other[1] && other[0] <= last;
	});
}

/** The kernel wants disjoint elements; checked as the text is read. */
function checkDisjoint(name: string, elements: readonly Element[]): void {
	const sorted = [...elements].sort((a, b) => ((a.ranges[0]?.[0] ?? 0n) < (b.ranges[0]?.[0] ?? 0n) ? -1 : 1));
	for (const [i, a] of sorted.entries()) {
		for (const b of sorted.slice(i + 1)) {
			if ((b.ranges[0]?.[0] ?? 0n) > (a.ranges[0]?.[1] ?? 0n)) break;
			if (overlap(a, b)) throw new Error(`elements of ${name} overlap`);
		}
	}
}

export function parseTable(text: string): ParsedTable {
	const lines = text.split("\n").map((line) => line.trim());
	const chains = new Map<string, string[]>();
	const elements = new Map<string, Element[]>();
	const counters = new Set<string>();
	if (!/^table inet [A-Za-z_][A-Za-z0-9_]* \{$/.test(lines[0] ?? "")) throw new Error("not a table");
	let at = 1;
	for (; lines[at] !== "}"; at++) {
		if (lines[at] === "") continue;
		const head = /^(counter|set|map|chain) ([a-z0-9_]+) \{$/.exec(lines[at] ?? "");
		const [, kind, name = ""] = head ?? [];
		if (head === null || chains.has(name) || elements.has(name) || counters.has(name)) {
			throw new Error(`unexpected line: ${lines[at]}`);
		}
		const body: string[] = [];
		for (at++; lines[at] !== "}" && at < lines.length; at++) {
			if (lines[at] === "elements = {") {
				for (at++; lines[at] !== "}"; at++) body.push(`element ${lines[at]}`);
			} else body.push(lines[at] ?? "");
		}
		if (kind === "chain") chains.set(name, body);
		else if (kind === "counter") counters.add(name);
		else elements.set(name, parseElements(name, body));
	}
	if (lines.slice(at + 1).some((line) => line !== "")) throw new Error("text after the table");
	return { chains, elements, counters };
}

function parseElements(name: string, body: readonly string[]): Element[] {
	const elements: Element[] = [];
	const type = /^type ([a-z0-9_]+(?: \. [a-z0-9_]+)*)( : verdict| : counter)?$/.exec(body[0] ?? "");
	if (type === null || !/^(flags (interval|timeout|dynamic,timeout)|size \d+)$/.test(body[1] ?? ""))
		throw new Error(`type of ${name}`);
	for (const line of body.slice(2)) {
		// What ended flows are held against, which nothing is in here.
		if (/timeout$/.test(body[1] ?? "") && /^(timeout \w+|size \d+)$/.test(line)) continue;
		const leads =
			type[2] === " : counter"
				? /^element (.*?) : "c_([0-9a-f]{16})",?$/
				: /^element (.*?)(?: : ((?:goto|jump) x_[0-9a-f]{16}))?,?$/;
		const match = leads.exec(line);
		const ranges = (match?.[1] ?? "").split(" . ").map(range);
		const verdict = match?.[2] ?? "";
		if (
			match === null ||
			ranges.length !== type[1]?.split(" . ").length ||
			(verdict !== "") !== (type[2] !== undefined)
		) {
			throw new Error(`element of ${name}: ${line}`);
		}
		elements.push({ ranges, verdict });
	}
	// A hash table holds single values, and no more of them than it was made for.
	const size = /^size (\d+)$/.exec(body[1] ?? "")?.[1];
	const single = elements.every(({ ranges }) => ranges.every(([first, last]) => first === last));
	if (size !== undefined && !(single && elements.length <= Number(size))) throw new Error(`size of ${name}`);
	checkDisjoint(name, elements);
	return elements;
}

/** What never matches a packet of the kind that tests simulate: new, from or to another host. */
const neverMatches = [
	/^meta nfproto ipv[46] update @sent[46]_\w{16} \{ [^}]+ \}$/,
	/^(iif lo|oif lo fib daddr type local|ct state established|ct status dnat fib daddr type local) accept$/,
	/^fib saddr( \. oif)? type local jump root_leaving$/,
	/^type filter hook (input|output|postrouting) priority \d+; policy accept;$/,
	/^ct state invalid counter name "invalid_(ingress|egress)"( drop)?$/,
	/^meta l4proto != (1|58) ct state related accept$/,
	/^jump ended_(ingress|egress)$/,
	/^tcp flags & syn == 0 ct state new goto x_[0-9a-f]{16}$/,
	/^icmp(v6)? type \{ [a-z0-9, -]+ \}( ip6 saddr (fe80::\/10|::))?( ip6 hoplimit (1|255)| ct state related)? accept$/,
	/^meta l4proto (< 3|58) jump x_[0-9a-f]{16}$/,
	/^meta l4proto 2 ip ttl 1 ip daddr 224\.0\.0\.0\/4 @th,0,8 (0x11|\{ [x0-9a-f, ]+ \}) accept$/,
	/^(ip6 saddr fe80::\/10 )?udp sport \d+ udp dport \d+ accept$/,
	/^udp dport 546 ip6 daddr fe80::\/10 accept$/,
	// What counts new flows leads back in any case.
	/^(tcp flags & \(syn \| ack\) == syn|ct state new( meta l4proto \d+)?) update @seen_\w+ \{ [^}]+ counter \} return$/,
	/^tcp flags & \(syn \| ack\) != syn return$/,
	/^meta l4proto \{ (1|58), 6, 17, 132 \} goto x_[0-9a-f]{16}$/,
	/^ct state new counter name "unseen_(ingress|egress)"$/,
	// What the host sent to itself in a VRF.
	/^iifname "[\w.@+-]+" (meta sdifname "[\w.@+-]+"|ip6? .* @s_\w{16}) accept$/,
	/^oifname "[\w.@+-]+" ct state new update @s_\w{16} \{ .* \}$/,
];

const leafCounter =
	/^counter name "c_([0-9a-f]{16})"( limit rate \d+\/second burst \d+ packets counter name "l_\1" log prefix "pw:\1" group \d+ snaplen \d+ queue-threshold \d+)?$/;

class Simulation {
	rule: string | null = null;

	constructor(
		readonly table: ParsedTable,
		readonly packet: OraclePacket,
	) {}

	/** A final verdict, or null when the chain returned. */
	chain(name: string): "accept" | "drop" | null {
		const rules = this.table.chains.get(name);
		if (rules === undefined) throw new Error(`no chain ${name}`);
		for (const text of rules) {
			const verdict = this.verdictOf(text);
			if (verdict === null) continue;
			const [word = "", target = ""] = verdict.split(" ");
			if (word === "accept" || word === "drop") return word;
			if (word === "return") return null;
			const result = this.chain(target);
			if (word === "goto" || result !== null) return result;
		}
		return null;
	}

	/** What a rule says about the packet, or null when it does not match. */
	verdictOf(text: string): string | null {
		const { packet } = this;
		if (neverMatches.some((form) => form.test(text))) return null;
		const failsafe = /^(.*)counter name "(failsafe_[a-z]+_\d+_[0-9a-f]{16})" accept$/.exec(text);
		if (failsafe !== null) {
			if (!this.failsafeMatches(failsafe[1] ?? "")) return null;
			this.rule = failsafe[2] ?? null;
			return "accept";
		}
		const counter = leafCounter.exec(text);
		if (counter !== null) {
			this.rule = counter[1] ?? null;
			return null;
		}
		if (/^(accept|drop)( comment "[A-Za-z0-9 ._[\]-]{1,120}")?$/.test(text))
			return text.split(" ")[0] ?? null;
		if (/^(goto|jump) (x_[0-9a-f]{16}|root_(ingress|egress|leaving))$/.test(text)) return text;
		// It comes from a process.
		if (text === "meta skuid != 4294967295 jump root_leaving") return "jump root_leaving";
		const nfproto = /^meta nfproto ipv4 (accept|goto x_[0-9a-f]{16})$/.exec(text);
		if (nfproto !== null) return packet.family === 4 ? (nfproto[1] ?? null) : null;
		const member = /^meta sdifname (.*)$/.exec(text)?.[1];
		if (member !== undefined)
			return packet.vrf === undefined ? null : this.interfaceVerdict(member, packet.interface);
		const bySender = senderVerdict(text, packet, this.table);
		if (bySender !== undefined) return bySender;
		const ends = /^(ip6 [sd]addr) & ([0-9a-f:.]+) == ([0-9a-f:.]+) (.*)$/.exec(text);
		if (ends !== null) {
			const [, field, mask, value = "", then = ""] = ends;
			return this.field(`${field} & ${mask}`) === range(value)[0] ? this.verdictOf(then) : null;
		}
		const side = packet.direction === "ingress" ? "iifname" : "oifname";
		if (text.startsWith(`${side} `)) return this.interfaceVerdict(text.slice(side.length + 1), this.borne);
		return this.lookup(text);
	}

	/** Whether the conditions of a failsafe rule hold: interface, address, protocol and port, each of which may be absent. */
	failsafeMatches(text: string): boolean {
		const { packet } = this;
		const side = packet.direction === "ingress" ? "i" : "o";
		const form = new RegExp(
			`^(?:(${side}ifname|meta sdifname) "([\\w.@+-]+)(\\*?)" )?` +
				`(?:meta nfproto ipv([46]) |(ip6? [sd]addr) ([0-9a-f.:]+/[1-9]\\d*) )?` +
				"(?:meta l4proto (\\d+) |((?:tcp|udp|sctp) dport|icmp(?:v6)? type) (\\d+(?:-\\d+)?) )?$",
		);
		const parts = form.exec(text);
		if (parts === null) throw new Error(`unknown failsafe conditions: ${text}`);
		const [, by, name = "", prefix, family, address, block = "", protocol, port, ports = ""] = parts;
		const within = (field: string, [first, last]: readonly [bigint, bigint]): boolean => {
			const value = this.field(field);
			return value !== null && first <= value && value <= last;
		};
		if (by !== undefined) {
			const member = by === "meta sdifname";
			if (member && packet.vrf === undefined) return false;
			const borne = member ? packet.interface : this.borne;
			if (!(prefix === "" ? borne === name : borne.startsWith(name))) return false;
		}
		if (family !== undefined && Number(family) !== packet.family) return false;
		if (address !== undefined && !within(address, range(block))) return false;
		if (protocol !== undefined && this.field("meta l4proto") !== BigInt(protocol)) return false;
		return port === undefined || within(port, range(ports));
	}

	/** The name that a packet bears in the kernel: what comes in by a VRF's member has the VRF's. */
	get borne(): string {
		const { direction, vrf, interface: name } = this.packet;
		return direction === "ingress" ? (vrf ?? name) : name;
	}

	interfaceVerdict(text: string, name: string): string | null {
		const own = /^"([\w.@+-]+)" accept$/.exec(text);
		if (own !== null) return name === own[1] ? "accept" : null;
		const prefix = /^"([\w.@+-]+)\*" (accept|goto x_[0-9a-f]{16})$/.exec(text);
		if (prefix !== null) return name.startsWith(prefix[1] ?? "") ? (prefix[2] ?? null) : null;
		const map = /^vmap \{ ((?:"[\w.@+-]+" : (?:accept|goto x_[0-9a-f]{16})(?:, )?)+) \}$/.exec(text);
		if (map === null) throw new Error(`unknown rule: ${text}`);
		for (const [, key, verdict] of (map[1] ?? "").matchAll(/"([^"]+)" : (accept|goto \w+)/g)) {
			if (key === name) return verdict ?? null;
		}
		return null;
	}

	lookup(text: string): string | null {
		const counted = /^counter name (.+) map @(m_\w{16}) accept$/.exec(text);
		if (counted !== null) {
			const found = this.lookup(`${counted[1]} vmap @${counted[2]}`);
			if (found === null) return null;
			this.rule = found;
			return "accept";
		}
		const { packet } = this;
		const match =
			/^(?:meta l4proto (\d+) )?([a-z0-9 .:&]+?) (?:vmap @(m_\w{16})|@(s_\w{16}) (return|goto x_\w{16}))$/.exec(
				text,
			);
		if (match === null) throw new Error(`unknown rule: ${text}`);
		const [, only, expression = "", map, set, then] = match;
		if (only !== undefined && BigInt(only) !== protocolNumber(packet.protocol)) return null;
		const key: bigint[] = [];
		for (const field of expression.split(" . ")) {
			const value = this.field(field);
			if (value === null) return null;
			key.push(value);
		}
		const elements = this.table.elements.get(map ?? set ?? "");
		if (elements === undefined) throw new Error(`no set for: ${text}`);
		const hit = elements.find(({ ranges }) => {
			if (ranges.length !== key.length) throw new Error(`wrong key for: ${text}`);
			return ranges.every(([first, last], i) => first <= (key[i] ?? -1n) && (key[i] ?? -1n) <= last);
		});
		if (hit === undefined) return null;
		return then ?? hit.verdict;
	}

	/** A field of the packet; null when the packet does not have it, which makes the rule miss. */
	field(text: string): bigint | null {
		const { packet } = this;
		const side = packet.direction === "ingress" ? "saddr" : "daddr";
		const masked = /^(ip6? [sd]addr) & ([0-9a-f:.]+)$/.exec(text);
		if (masked !== null) {
			const address = this.field(masked[1] ?? "");
			return address === null ? null : address & (range(masked[2] ?? "")[0] ?? 0n);
		}
		if (text === `ip ${side}`) return packet.family === 4 ? packet.address : null;
		if (text === `ip6 ${side}`) return packet.family === 6 ? packet.address : null;
		if (text === "meta l4proto") return protocolNumber(packet.protocol);
		if (text === "th dport") return BigInt(packet.port);
		const source = packet.source === null ? otherSource : BigInt(packet.source);
		const type = /^icmp(v6)? type$/.exec(text);
		if (type !== null) return packet.protocol === (type[1] === undefined ? 1 : 58) ? source : null;
		const port = /^(tcp|udp|sctp) ([sd])port$/.exec(text);
		if (port === null) throw new Error(`unknown field: ${text}`);
		if (packet.protocol !== port[1]) return null;
		return port[2] === "s" ? source : BigInt(packet.port);
	}
}

/** Sends the packet through the hooks of its direction; all of them accept what reaches their end. */
export function simulate(table: ParsedTable, packet: OraclePacket): SimulatedVerdict {
	const simulation = new Simulation(table, packet);
	const hooks = packet.direction === "ingress" ? ["ingress"] : ["egress", "leaving"];
	const decided = [];
	for (const hook of hooks.filter((name) => table.chains.has(name))) {
		const verdict = simulation.chain(hook);
		decided.push(simulation.rule);
		if (verdict === "drop") return { verdict, rule: simulation.rule };
	}
	// A packet is judged, and counted, in one place.
	if (decided.length === 2 && decided[0] !== null) throw new Error("judged in two hooks");
	return { verdict: "accept", rule: simulation.rule };
}
