/** One rule of a Calico policy. */

import type { Place } from "../../base/diagnostic.ts";
import { parseIcmpType } from "../../base/icmp-type.ts";
import type { Cidr, Direction, Family, PortRange, Protocol } from "../../base/model.ts";
import { icmp, isIcmp, isTransport } from "../../base/protocol.ts";
import { fieldOf } from "../json-value.ts";
import type { ChainRule, Target } from "../ordered.ts";
import { type Entry, type PacketSet, setsOf } from "../packets.ts";
import { type Reading, stateNotes } from "../reading.ts";
import { addressesOf, portsOf, protocolOfWord } from "../words.ts";

/** What policies can say of either end; everything else there is a condition that they cannot. */
const endFields: ReadonlySet<string> = new Set(["nets", "notNets", "ports", "notPorts"]);
const ruleFields: ReadonlySet<string> = new Set([
	"action",
	"metadata",
	"ipVersion",
	"protocol",
	"notProtocol",
	"icmp",
	"source",
	"destination",
]);

const both: readonly Family[] = [4, 6];

/** Null where it decides nothing, or has a condition without counterpart. */
export function readCalicoRule(
	value: unknown,
	place: Place,
	direction: Direction,
	policy: string,
	reading: Reading,
): ChainRule | null {
	const action = String(fieldOf(value, "action"));
	const target: Target | null =
		action === "Allow" ? { kind: "accept" } : action === "Deny" ? { kind: "drop" } : null;
	if (action === "Log") reading.changed(place, `Log: ${stateNotes.log}`);
	else if (target === null)
		reading.lost(place, `${action}: there are no tiers and profiles to pass to; the rule is left out`);
	if (target === null) return null;
	const reader = new RuleReader(value, direction);
	const sets = reader.sets();
	if (reader.unknown.length > 0 || sets === null) {
		const then = action === "Allow" ? "accepted" : "refused";
		const what = reader.unknown.join(", ");
		reading.lost(place, `${what}: the rule is left out; what it ${then} is judged by the rules after it`);
		return null;
	}
	const text = `${policy}: ${JSON.stringify(value)}`;
	return { place, text, ...sets, target };
}

class RuleReader {
	readonly unknown: string[] = [];
	readonly #value: unknown;
	readonly #direction: Direction;

	constructor(value: unknown, direction: Direction) {
		this.#value = value;
		this.#direction = direction;
		for (const key of keysOf(value)) if (!ruleFields.has(key)) this.unknown.push(key);
		for (const end of ["source", "destination"] as const)
			for (const key of keysOf(fieldOf(value, end)))
				if (!endFields.has(key)) this.unknown.push(`${end}.${key}`);
	}

	sets(): { readonly match: readonly PacketSet[]; readonly unless: readonly PacketSet[] } | null {
		const version = fieldOf(this.#value, "ipVersion");
		const families = version === 4 || version === 6 ? [version as Family] : both;
		const remote = this.#direction === "ingress" ? "source" : "destination";
		const local = remote === "source" ? "destination" : "source";
		for (const key of ["nets", "notNets"])
			if (this.#end(local, key) !== undefined) this.unknown.push(`${local}.${key}`);
		const protocol = this.#protocol("protocol");
		const not = this.#protocol("notProtocol");
		const blocks = this.#nets(remote, "nets");
		const notBlocks = this.#nets(remote, "notNets");
		const ports = this.#ports("destination", "ports", protocol);
		const notPorts = this.#ports("destination", "notPorts", protocol);
		const source = this.#ports("source", "ports", protocol) ?? this.#icmp(protocol);
		const notSource = this.#ports("source", "notPorts", protocol);
		if (this.unknown.length > 0) return null;
		const none = { blocks: null, entries: null, interfaces: null };
		const entries = (of: Protocol, to: Ranges, from: Ranges) => ({
			...none,
			entries: entriesOf(of, to, from),
		});
		// A rule whose addresses are all of one family is a rule of that family alone, also where it negates them.
		const has = (family: Family, list: readonly Cidr[] | null) =>
			list === null || list.some((block) => block.family === family);
		const own = families.filter((family) => has(family, blocks) && has(family, notBlocks));
		const match = setsOf(
			{ ...none, blocks, entries: protocol === null ? null : entriesOf(protocol, ports, source) },
			own,
		);
		const unless = [
			...(notBlocks === null ? [] : setsOf({ ...none, blocks: notBlocks }, own)),
			...(not === null ? [] : setsOf(entries(not, null, null), own)),
			...(notPorts === null || protocol === null ? [] : setsOf(entries(protocol, notPorts, null), own)),
			...(notSource === null || protocol === null ? [] : setsOf(entries(protocol, null, notSource), own)),
		];
		return { match, unless };
	}

	/** A list without elements is as none. */
	#end(end: "source" | "destination", key: string): unknown {
		const value = fieldOf(fieldOf(this.#value, end), key);
		return Array.isArray(value) && value.length === 0 ? undefined : value;
	}

	#protocol(key: "protocol" | "notProtocol"): Protocol | null {
		const value = fieldOf(this.#value, key);
		if (value === undefined) return null;
		const protocol = protocolOfWord(String(value));
		if (protocol === undefined || protocol === null) this.unknown.push(`${key} ${String(value)}`);
		return protocol ?? null;
	}

	#nets(end: "source" | "destination", key: string): readonly Cidr[] | null {
		const value = this.#end(end, key);
		if (value === undefined) return null;
		const blocks = Array.isArray(value) ? value.map((one) => addressesOf(String(one))) : [null];
		if (blocks.some((one) => one === null)) this.unknown.push(`${end}.${key}`);
		return blocks.flatMap((one) => one ?? []);
	}

	#ports(end: "source" | "destination", key: string, protocol: Protocol | null): Ranges {
		const value = this.#end(end, key);
		if (value === undefined) return null;
		const ranges =
			Array.isArray(value) && isTransport(protocol)
				? value.map((one) => (/^\d+(?::\d+)?$/u.test(String(one)) ? portsOf(String(one), protocol) : null))
				: [null];
		// Names are those of a workload's ports; 0:65535 as one of several is every port.
		if (ranges.some((one) => one === null)) this.unknown.push(`${end}.${key}`);
		if (ranges.includes("all")) return key === "ports" ? null : [{ first: 1, last: 65_535 }];
		return ranges.flatMap((one) => (one === null || one === "all" ? [] : one));
	}

	#icmp(protocol: Protocol | null): Ranges {
		const value = fieldOf(this.#value, "icmp");
		if (value === undefined) return null;
		const type = fieldOf(value, "type");
		const parsed = isIcmp(protocol) ? parseIcmpType(String(type), protocol === icmp ? icmp : protocol) : null;
		if (parsed?.ok !== true || fieldOf(value, "code") !== undefined) this.unknown.push("icmp");
		return parsed?.ok ? [{ first: parsed.type, last: parsed.type }] : null;
	}
}

type Ranges = readonly PortRange[] | null;

function entriesOf(protocol: Protocol, ports: Ranges, source: Ranges): readonly Entry[] {
	return (ports ?? [null]).flatMap((to) =>
		(source ?? [null]).map((from) => ({ protocol, ports: to, source: from })),
	);
}

function keysOf(value: unknown): readonly string[] {
	return typeof value === "object" && value !== null ? Object.keys(value) : [];
}
