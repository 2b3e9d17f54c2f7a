/**
 * What `nft -j list ruleset` prints: base chains of type filter on input and output, of the families inet, ip and ip6,
 * and the chains that they call. Of several base chains each has to accept a packet, in the order of their priorities.
 */

import { isMap, isSeq } from "yaml";
import type { Place } from "../../base/diagnostic.ts";
import type { Direction, Family } from "../../base/model.ts";
import { readDocuments } from "../documents.ts";
import type { Finding } from "../finding.ts";
import { fieldOf } from "../json-value.ts";
import { everything } from "../packets.ts";
import { Reading, type SourceText } from "../reading.ts";
import { type NftRule, readNftRule } from "./rule.ts";

export function isNft(text: string): boolean {
	return /^\s*\{\s*"nftables"\s*:/u.test(text);
}

interface Chain {
	readonly table: string;
	readonly families: readonly Family[];
	readonly name: string;
	readonly place: Place;
	/** Null for chains that others call. */
	readonly hook: string | null;
	readonly type: string;
	readonly priority: number;
	readonly accepts: boolean;
	readonly rules: NftRule[];
}

interface Listing {
	readonly chains: Map<string, Chain>;
	/** Sets and maps by table, then by name. */
	readonly sets: Map<string, Map<string, readonly unknown[]>>;
}

const familiesOf: Readonly<Record<string, readonly Family[]>> = { inet: [4, 6], ip: [4], ip6: [6] };

/** The table that portward itself makes. */
const ownTable = "inet portward";

export function readNft(sources: readonly SourceText[]): Reading | Problems {
	const reading = new Reading();
	for (const source of sources) {
		const objects = objectsOf(source);
		if ("problems" in objects) return objects;
		readListing(collect(objects.objects, reading), source.file, reading);
	}
	return reading;
}

interface Problems {
	readonly problems: readonly Omit<Finding, "kind">[];
}

interface Placed {
	readonly value: unknown;
	readonly place: Place;
}

function objectsOf(source: SourceText): { readonly objects: readonly Placed[] } | Problems {
	const { sources, problems } = readDocuments(source);
	const [document] = sources;
	const list = isMap(document?.root) ? document.root.get("nftables", true) : null;
	if (problems.length > 0) return { problems };
	const text = jsonOf(source.text);
	const values = fieldOf(text, "nftables");
	if (document === undefined || !isSeq(list) || !Array.isArray(values)) {
		const message = "this is not what nft -j list ruleset prints";
		return { problems: [{ file: source.file, line: 1, column: 1, message }] };
	}
	const objects: Placed[] = values.map((value, i) => ({
		value,
		place: document.place((list.items[i] ?? null) as never),
	}));
	return { objects };
}

/** The document is JSON by now, and not too deep; YAML that merely looks like it has no value. */
function jsonOf(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

function collect(objects: readonly Placed[], reading: Reading): Listing {
	const listing: Listing = { chains: new Map(), sets: new Map() };
	for (const { value, place } of objects) {
		const text = (object: unknown, name: string) => String(fieldOf(object, name) ?? "");
		const chain = fieldOf(value, "chain");
		const rule = fieldOf(value, "rule");
		const named = fieldOf(value, "set") ?? fieldOf(value, "map");
		const object = chain ?? rule ?? named;
		if (object === undefined) continue;
		const table = `${text(object, "family")} ${text(object, "table")}`;
		if (table === ownTable) reading.changed(place, "the table of portward itself is left out");
		if (table === ownTable) continue;
		if (chain !== undefined) {
			const hook = fieldOf(chain, "hook");
			listing.chains.set(`${table} ${text(chain, "name")}`, {
				table,
				families: familiesOf[text(chain, "family")] ?? [],
				name: text(chain, "name"),
				place,
				hook: typeof hook === "string" ? hook : null,
				type: text(chain, "type"),
				priority: Number(fieldOf(chain, "prio") ?? 0),
				accepts: fieldOf(chain, "policy") !== "drop",
				rules: [],
			});
		} else if (rule !== undefined) {
			const name = text(rule, "chain");
			const expressions = fieldOf(rule, "expr");
			const list = Array.isArray(expressions) ? expressions : [];
			const shown = `${table} ${name} handle ${text(rule, "handle")}: ${JSON.stringify(list)}`;
			listing.chains.get(`${table} ${name}`)?.rules.push({ place, text: shown, expressions: list });
		} else {
			const elements = fieldOf(named, "elem");
			const sets = listing.sets.get(table) ?? new Map();
			listing.sets.set(table, sets);
			sets.set(text(named, "name"), Array.isArray(elements) ? elements : []);
		}
	}
	return listing;
}

const hooks: Readonly<Record<string, Direction>> = { input: "ingress", output: "egress" };

function readListing(listing: Listing, file: string, reading: Reading): void {
	const bases = [...listing.chains.values()]
		.filter(({ hook }) => hook !== null)
		.sort((a, b) => a.priority - b.priority);
	for (const base of bases) {
		const { hook, type, rules, families, place, table, name, accepts } = base;
		const direction = hooks[hook ?? ""];
		if (direction === undefined || type !== "filter" || families.length === 0) {
			if (rules.length > 0)
				reading.lost(
					place,
					`rules of ${table} ${name} (${rules.length}), ${type} on ${hook}: only filters of input and output are converted`,
				);
			continue;
		}
		const chain = readChain(base, { listing, file, direction, reading });
		const text = `policy ${accepts ? "accept" : "drop"} of ${table} ${name}`;
		reading.entrances[direction].push({ chain, packets: everything(families), accepts, place, text });
	}
}

interface Around {
	readonly listing: Listing;
	readonly file: string;
	readonly direction: Direction;
	readonly reading: Reading;
}

/** Reads a chain and those that it calls; the key by which the ruleset knows it. */
function readChain(first: Chain, { listing, file, direction, reading }: Around): string {
	const keyOf = (table: string, name: string) => `${direction} ${file} ${table} ${name}`;
	const waiting = [first];
	for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
		const { table, name, families, rules } = chain;
		const key = keyOf(table, name);
		if (reading.chains.has(key)) continue;
		const sets = listing.sets.get(table) ?? new Map();
		const read = rules.flatMap((rule) => readNftRule(rule, { direction, families, sets, reading }));
		reading.chains.set(
			key,
			read.map((rule) => {
				if (rule.target.kind !== "jump") return rule;
				const called = listing.chains.get(`${table} ${rule.target.chain}`);
				if (called !== undefined) waiting.push(called);
				return { ...rule, target: { ...rule.target, chain: keyOf(table, rule.target.chain) } };
			}),
		);
	}
	return keyOf(first.table, first.name);
}
