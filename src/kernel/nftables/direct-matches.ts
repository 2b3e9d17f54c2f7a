/**
 * What rules match, and the lookups of sets and maps: the few forms that the rules of a plan have. libnftables puts a
 * comparison of the family or the protocol before what only they have, reads the whole bytes of a block, and two ports
 * that follow each other at once; so does this, and leaves everything else to it.
 */

import { parseAddress } from "../../base/cidr.ts";
import type { Family } from "../../base/model.ts";
import {
	type Comparison,
	type Expression,
	metaFamily,
	metaInterface,
	metaMark,
	metaProtocol,
	networkHeader,
	registerAt,
	transportHeader,
} from "./direct-expressions.ts";
import { type Form, patterns } from "./direct-forms.ts";
import { confirmed, icmpProtocols, icmpTypes, states, tcpAck, tcpSyn, translated } from "./direct-headers.ts";
import { addressBytes, portBytes } from "./direct-keys.ts";
import { rateUnits } from "./expressions.ts";

/** linux/netfilter.h */
const familyNumbers: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const addressLength: Readonly<Record<Family, number>> = { 4: 4, 6: 16 };
/** Where the network header has its addresses. */
const addressOffset = { 4: { saddr: 12, daddr: 16 }, 6: { saddr: 8, daddr: 24 } } as const;
const portOffset = { sport: 0, dport: 2 } as const;
const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17 };

/** The most values of a set of a rule's own. */
const mostValues = 16;

type Found = Readonly<Record<string, string | undefined>>;

/** Reads the matches of one rule, one after the other. */
export class MatchReader {
	readonly #text: string;
	readonly #names: Iterator<string>;
	readonly #expressions: Expression[];
	#family: Family | null = null;
	#protocol: number | null = null;
	/** The header that the statement before compares bytes of: libnftables may join two such comparisons. */
	#compared: "network" | "transport" | null = null;

	/** @param names those that the text leads to, in their order; expressions are added to `expressions`. */
	constructor(text: string, names: Iterator<string>, expressions: Expression[]) {
		this.#text = text;
		this.#names = names;
		this.#expressions = expressions;
	}

	/** Reads the match at a place; returns where it ends, or null where it has another form. */
	read(at: number): number | null {
		for (const { form, pattern } of patterns) {
			pattern.lastIndex = at;
			const found = pattern.exec(this.#text);
			if (found === null) continue;
			const before = this.#compared;
			this.#compared = null;
			const read = this.#readForm(form, found.groups ?? {}, before);
			return read ? pattern.lastIndex : null;
		}
		return null;
	}

	#readForm(form: Form, found: Found, before: "network" | "transport" | null): boolean {
		const { number, protocols: several = "", state = "" } = found;
		switch (form) {
			case "lookup":
				return this.#lookup(found);
			case "block":
				return before !== "network" && this.#block(found);
			case "ports":
				return before !== "transport" && this.#ports(found);
			case "port":
				return before !== "transport" && this.#port(found);
			case "protocol":
				return this.#protocolOf(found);
			case "family":
				return this.#familyOf(number === "6" ? 6 : 4);
			case "state":
				return this.#state(state);
			case "flags":
				return this.#flags(found);
			case "tally":
				return this.#tally(found);
			case "protocols":
				return this.#anyOf("inet_proto", metaProtocol, several.split(", ").map(Number));
			case "icmp":
				return this.#icmp(found);
			case "translated":
				return this.#connection("status", translated);
			case "confirmed":
				return this.#connection("status", confirmed);
			case "meter":
				return this.#meter(found);
			default:
				return this.#interface(form, found);
		}
	}

	#lookup({ count, version, side, mask, tail = "", use = "" }: Found): boolean {
		const family = this.#load(version, side);
		const set: string | undefined = this.#names.next().value;
		// A counter is named by a map, and nothing else is.
		if (family === null || set === undefined || (count !== undefined) !== (use === "map ")) return false;
		if (!this.#masked(mask, family)) return false;
		let word = addressLength[family] / 4;
		for (const field of tail.split(" . ").slice(1)) {
			const register = registerAt(word);
			word += 1;
			if (field === "meta l4proto") this.#expressions.push({ is: "meta", key: metaProtocol, register });
			else this.#portInto(field, register);
		}
		this.#expressions.push(
			count === undefined
				? { is: "lookup", set, leads: use === "vmap ", inverted: use === "!= " }
				: { is: "counter-map", map: set },
		);
		return true;
	}

	#masked(mask: string | undefined, family: Family): boolean {
		if (mask === undefined) return true;
		const bytes = bytesOf(mask, family);
		if (bytes !== null) this.#expressions.push({ is: "mask", mask: bytes });
		return bytes !== null;
	}

	/** Loads an address, behind the comparison of its family. */
	#load(version = "", side = "", length?: number): Family | null {
		const family = version === "ip6" ? 6 : 4;
		if (this.#family !== null && this.#family !== family) return null;
		if (this.#family === null) this.#familyOf(family);
		const offset = addressOffset[family][side === "daddr" ? "daddr" : "saddr"];
		const read = length ?? addressLength[family];
		this.#expressions.push({
			is: "payload",
			base: networkHeader,
			offset,
			length: read,
			register: registerAt(0),
		});
		return family;
	}

	#block({ version, side, first = "", length }: Found): boolean {
		const family = version === "ip6" ? 6 : 4;
		const bytes = bytesOf(first, family);
		const bits = length === undefined ? addressLength[family] * 8 : Number(length);
		if (bytes === null || bits === 0 || bits > addressLength[family] * 8) return false;
		const whole = bits % 8 === 0;
		if (this.#load(version, side, whole ? bits / 8 : undefined) === null) return false;
		if (!whole) {
			const mask = new Uint8Array(bytes.length).map(
				(_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff,
			);
			if (bytes.some((byte, i) => (byte & ~(mask[i] ?? 0)) !== 0)) return false;
			this.#expressions.push({ is: "mask", mask });
		} else if (bytes.subarray(bits / 8).some((byte) => byte !== 0)) return false;
		this.#compare("==", whole ? bytes.subarray(0, bits / 8) : bytes);
		this.#compared = "network";
		return true;
	}

	#ports({ both = "", from, to }: Found): boolean {
		const [source, destination] = [portBytes(from), portBytes(to)];
		if (source === null || destination === null || !this.#needs(both)) return false;
		this.#payload(transportHeader, portOffset.sport, 4);
		this.#compare("==", Uint8Array.of(...source, ...destination));
		this.#compared = "transport";
		return true;
	}

	#port({ one = "", which, number }: Found): boolean {
		const bytes = portBytes(number);
		if (bytes === null || !this.#needs(one)) return false;
		this.#payload(transportHeader, which === "sport" ? portOffset.sport : portOffset.dport, 2);
		this.#compare("==", bytes);
		this.#compared = "transport";
		return true;
	}

	#protocolOf({ by, value }: Found): boolean {
		const number = Number(value);
		if (number > 255 || this.#protocol !== null) return false;
		if (by === undefined) this.#protocol = number;
		this.#expressions.push({ is: "meta", key: metaProtocol, register: registerAt(0) });
		this.#compare(by === "!=" || by === "<" ? by : "==", Uint8Array.of(number));
		return true;
	}

	#familyOf(family: Family): boolean {
		if (this.#family !== null) return false;
		this.#family = family;
		this.#expressions.push({ is: "meta", key: metaFamily, register: registerAt(0) });
		this.#compare("==", Uint8Array.of(familyNumbers[family]));
		return true;
	}

	#state(name: string): boolean {
		const bit = states[name];
		return bit !== undefined && this.#connection("state", bit);
	}

	#connection(key: "state" | "status", bit: number): boolean {
		// In the machine's own order, which is little-endian.
		const mask = Uint8Array.of(bit, 0, 0, 0);
		this.#expressions.push({ is: "ct", key, register: registerAt(0) }, { is: "mask", mask });
		this.#compare("!=", new Uint8Array(4));
		return true;
	}

	#anyOf(type: string, key: number | null, values: readonly number[]): boolean {
		if (values.length > mostValues || values.some((value) => !(value <= 255))) return false;
		if (key !== null) this.#expressions.push({ is: "meta", key, register: registerAt(0) });
		this.#expressions.push({ is: "any-of", type, values });
		return true;
	}

	#icmp({ icmp, types = "" }: Found): boolean {
		const name = icmp === "icmp" ? "icmp" : "icmpv6";
		if (this.#family !== null || this.#protocol !== null) return false;
		const known: Readonly<Record<string, number>> = icmpTypes[name];
		const values = types.split(", ").map((word) => (Object.hasOwn(known, word) ? known[word] : undefined));
		if (values.includes(undefined)) return false;
		this.#familyOf(name === "icmp" ? 4 : 6);
		this.#protocolOf({ value: String(icmpProtocols[name]) });
		this.#payload(transportHeader, 0, 1);
		return this.#anyOf(
			`${name}_type`,
			null,
			values.filter((value) => value !== undefined),
		);
	}

	/** What is told of a packet's interface. */
	#interface(form: "index" | "kind" | "named", { key = "", kind = "", inverted }: Found): boolean {
		const keys: Readonly<Record<string, number>> = metaInterface;
		const number = keys[key];
		if (number === undefined) return false;
		this.#expressions.push({ is: "meta", key: number, register: registerAt(0) });
		if (form === "index") this.#compare("!=", new Uint8Array(4));
		else if (form === "kind") {
			const name = new Uint8Array(16);
			name.set(Buffer.from(kind, "latin1"));
			this.#compare("==", name);
		} else {
			const set: string | undefined = this.#names.next().value;
			if (set === undefined) return false;
			this.#expressions.push({ is: "lookup", set, leads: false, inverted: inverted !== undefined });
		}
		return true;
	}

	#flags({ bits, by, wanted }: Found): boolean {
		if (!this.#needs("tcp")) return false;
		this.#payload(transportHeader, 13, 1);
		this.#expressions.push({ is: "mask", mask: Uint8Array.of(bits === "syn" ? tcpSyn : tcpSyn | tcpAck) });
		this.#compare(by === "!=" ? "!=" : "==", Uint8Array.of(wanted === "syn" ? tcpSyn : 0));
		return true;
	}

	#tally({ version, key, side, other, port }: Found): boolean {
		const family = version === "ip6" ? 6 : 4;
		const set: string | undefined = this.#names.next().value;
		if (set === undefined || (this.#family !== null && this.#family !== family)) return false;
		if (this.#family === null) this.#familyOf(family);
		this.#expressions.push({
			is: "meta",
			key: key === "oif" ? metaInterface.oif : metaInterface.iif,
			register: registerAt(0),
		});
		const length = addressLength[family];
		let word = 1;
		for (const end of [side, other]) {
			if (end === undefined) continue;
			const offset = addressOffset[family][end === "daddr" ? "daddr" : "saddr"];
			this.#expressions.push({
				is: "payload",
				base: networkHeader,
				offset,
				length,
				register: registerAt(word),
			});
			word += length / 4;
		}
		this.#expressions.push({ is: "meta", key: metaProtocol, register: registerAt(word) });
		if (port !== undefined) this.#portInto(port, registerAt(word + 1));
		this.#expressions.push({ is: "tally", set });
		return true;
	}

	#meter({ version, side, mask, rate, unit = "", burst, most }: Found): boolean {
		const set: string | undefined = this.#names.next().value;
		if (set === undefined) return false;
		if (version === undefined) {
			this.#expressions.push({ is: "meta", key: metaMark, register: registerAt(0) });
			this.#expressions.push({ is: "mask", mask: new Uint8Array(4) });
		} else {
			const family = this.#load(version, side);
			if (family === null || !this.#masked(mask, family)) return false;
		}
		const seconds: Readonly<Record<string, number>> = rateUnits;
		const limit =
			rate === undefined
				? { connections: Number(most) }
				: { rate: Number(rate), unit: seconds[unit] ?? 1, burst: Number(burst) };
		this.#expressions.push({ is: "meter", set, limit });
		return true;
	}

	#portInto(field: string, register: number): void {
		if (field === "ct original proto-dst") this.#expressions.push({ is: "ct", key: "proto-dst", register });
		else {
			const offset = field === "th sport" ? portOffset.sport : portOffset.dport;
			this.#expressions.push({ is: "payload", base: transportHeader, offset, length: 2, register });
		}
	}

	/** Compares the protocol, where nothing did before. */
	#needs(name: string): boolean {
		const number = protocols[name];
		if (number === undefined || (this.#protocol !== null && this.#protocol !== number)) return false;
		return this.#protocol === number || this.#protocolOf({ value: String(number) });
	}

	#payload(base: typeof transportHeader, offset: number, length: number): void {
		this.#expressions.push({ is: "payload", base, offset, length, register: registerAt(0) });
	}

	#compare(by: Comparison, value: Uint8Array): void {
		this.#expressions.push({ is: "compare", by, value });
	}
}

function bytesOf(text: string, family: Family): Uint8Array | null {
	const parsed = parseAddress(text);
	return "family" in parsed && parsed.family === family ? addressBytes(parsed.family, parsed.value) : null;
}
