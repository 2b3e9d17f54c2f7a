/** What is in a zone of firewalld, in the order in which it is asked. */

import type { Place } from "../../base/diagnostic.ts";
import { parseIcmpType } from "../../base/icmp-type.ts";
import type { Cidr, Family } from "../../base/model.ts";
import { icmp, icmpv6, isTransport, parseProtocol } from "../../base/protocol.ts";
import type { ChainRule, Target } from "../ordered.ts";
import { type Entry, everything, type PacketSet, setsOf } from "../packets.ts";
import { type Reading, stateNotes } from "../reading.ts";
import { addressesOf, portsOf, protocolOfWord } from "../words.ts";
import { helpedServices, knownService, type ServicePart } from "./services.ts";
import type { Element } from "./xml.ts";

/** Files of services that were given as well, by name. */
export type ServiceFiles = ReadonlyMap<string, Element>;

interface ZoneContext {
	readonly place: (element: Element) => Place;
	readonly services: ServiceFiles;
	readonly reading: Reading;
}

const both: readonly Family[] = [4, 6];
const accept: Target = { kind: "accept" };
const drop: Target = { kind: "drop" };

/** Elements that say nothing about what the host accepts, or are read elsewhere. */
const others: ReadonlySet<string> = new Set([
	"short",
	"description",
	"interface",
	"source",
	"icmp-block-inversion",
]);

export function readZoneRules(root: Element, context: ZoneContext): ChainRule[] {
	return new ZoneReader(context, root).rules();
}

class ZoneReader {
	readonly #context: ZoneContext;
	readonly #root: Element;
	readonly #inverted: boolean;
	readonly #parts = {
		pre: [] as { rule: ChainRule; priority: number }[],
		deny: [] as ChainRule[],
		allow: [] as ChainRule[],
		post: [] as { rule: ChainRule; priority: number }[],
	};

	constructor(context: ZoneContext, root: Element) {
		this.#context = context;
		this.#root = root;
		this.#inverted = root.children.some(({ name }) => name === "icmp-block-inversion");
	}

	rules(): ChainRule[] {
		for (const child of this.#root.children) this.#child(child);
		const { pre, deny, allow, post } = this.#parts;
		const sorted = (rules: typeof pre) =>
			rules.sort((a, b) => a.priority - b.priority).map(({ rule }) => rule);
		return [...sorted(pre), ...deny, ...allow, ...sorted(post), ...this.#end()];
	}

	/** ICMP and the target, which decide about the rest. */
	#end(): readonly ChainRule[] {
		const target = this.#root.attributes.get("target") ?? "default";
		const { place, reading } = this.#context;
		const rules: ChainRule[] = [];
		const types = [icmp, icmpv6].map((protocol) => ({ protocol, ports: null, source: null }));
		const match = setsOf({ blocks: null, entries: types, interfaces: null }, both);
		const end = (text: string, packets: readonly PacketSet[], verdict: Target) =>
			rules.push({ place: place(this.#root), text, match: packets, unless: [], target: verdict });
		if (this.#inverted && (target === "default" || target === "ACCEPT"))
			end("icmp-block-inversion", match, drop);
		else if (target === "default") end("ICMP of a default target", match, accept);
		if (target !== "ACCEPT" && target !== "DROP")
			reading.changed(place(this.#root), `target: ${stateNotes.reject}`);
		end(`target ${target}`, everything(), target === "ACCEPT" ? accept : drop);
		return rules;
	}

	#child(element: Element): void {
		const { name } = element;
		const { reading, place } = this.#context;
		if (others.has(name)) return;
		if (name === "rule") this.#rich(element);
		else if (name === "icmp-block") {
			const types = this.#icmp(element);
			if (types !== null)
				(this.#inverted ? this.#parts.allow : this.#parts.deny).push(
					this.#rule(element, types, this.#inverted),
				);
		} else if (name === "forward" || name === "masquerade" || name === "forward-port")
			reading.changed(place(element), `${name}: forwarding and translation are not covered`);
		else {
			const sets = this.#element(element);
			if (sets !== null) this.#parts.allow.push(this.#rule(element, sets, true));
		}
	}

	#rule(element: Element, match: readonly PacketSet[], accepts: boolean): ChainRule {
		const words = [...element.attributes].map(([key, value]) => `${key}=${value}`);
		const text = [element.name, ...words].join(" ");
		return { place: this.#context.place(element), text, match, unless: [], target: accepts ? accept : drop };
	}

	/** What a service, port, protocol or type means; null where it has no counterpart, which is told. */
	#element(element: Element): readonly PacketSet[] | null {
		const { reading, place } = this.#context;
		const attribute = (name: string) => element.attributes.get(name) ?? "";
		if (element.name === "service") return this.#service(element, attribute("name"));
		if (element.name === "icmp-type") return this.#icmp(element);
		const entries =
			element.name === "port" || element.name === "source-port"
				? portEntries(attribute("port"), attribute("protocol"), element.name === "source-port")
				: element.name === "protocol"
					? protocolEntries(attribute("value"))
					: null;
		if (entries === null) {
			reading.lost(
				place(element),
				`${element.name} ${[...element.attributes.values()].join(" ")} has no counterpart`,
			);
			return null;
		}
		return setsOf({ blocks: null, entries, interfaces: null }, both);
	}

	#service(element: Element, name: string): readonly PacketSet[] | null {
		const { reading, place, services } = this.#context;
		if (helpedServices.has(name))
			reading.changed(
				place(element),
				`${name}: what a helper of connection tracking expects needs related: accept`,
			);
		if (name === "dhcpv6-client" && !services.has(name)) {
			reading.same(place(element), "dhcpv6-client is accepted without a rule (essentials)");
			return null;
		}
		const parts = this.#included(name, 0);
		const entries = parts?.map(({ ports, protocol }) =>
			ports === null ? protocolEntries(protocol) : portEntries(ports, protocol, false),
		);
		if (entries === undefined || entries.some((one) => one === null)) {
			const message = `the service ${name} is not known, or has a destination: give its file as well, or name its ports`;
			reading.lost(place(element), message);
			return null;
		}
		return setsOf({ blocks: null, entries: entries.flatMap((one) => one ?? []), interfaces: null }, both);
	}

	/** The parts of a service, with those that it includes; undefined where one is not known. */
	#included(name: string, depth: number): readonly ServicePart[] | undefined {
		const file = this.#context.services.get(name);
		if (file === undefined) return knownService(name) ?? undefined;
		const found: ServicePart[] = [];
		for (const child of file.children) {
			const attribute = (key: string) => child.attributes.get(key) ?? "";
			if (child.name === "port") found.push({ ports: attribute("port"), protocol: attribute("protocol") });
			else if (child.name === "protocol") found.push({ ports: null, protocol: attribute("value") });
			else if (child.name === "include") {
				const included = depth < 8 ? this.#included(attribute("service"), depth + 1) : undefined;
				if (included === undefined) return undefined;
				found.push(...included);
			} else if (child.name === "destination" || child.name === "source-port") return undefined;
		}
		return found;
	}

	#icmp(element: Element): readonly PacketSet[] | null {
		const name = element.attributes.get("name") ?? "";
		const entries = ([icmp, icmpv6] as const).flatMap((protocol) => {
			const parsed = parseIcmpType(name, protocol);
			return parsed.ok ? { protocol, ports: null, source: { first: parsed.type, last: parsed.type } } : [];
		});
		if (entries.length > 0) return setsOf({ blocks: null, entries, interfaces: null }, both);
		this.#context.reading.lost(this.#context.place(element), `${name} is no type of ICMP, but a code of one`);
		return null;
	}

	#rich(element: Element): void {
		const { reading, place } = this.#context;
		const child = (...names: readonly string[]) => element.children.find(({ name }) => names.includes(name));
		const block = child("icmp-block");
		const logs = child("log", "nflog", "audit") !== undefined;
		if (logs) reading.changed(place(element), `log: ${stateNotes.log}`);
		const action = child("accept", "reject", "drop", "mark");
		if (action === undefined && block === undefined && logs) return;
		const origin = this.#origin(child("source"));
		const problem = problemOf(child, action);
		if (problem !== null || origin === null) {
			reading.lost(place(element), `${problem ?? "its source is no address"}: the rich rule is left out`);
			return;
		}
		if (action?.name === "reject") reading.changed(place(element), `reject: ${stateNotes.reject}`);
		const what = child("service", "port", "protocol", "icmp-type", "source-port", "icmp-block");
		const sets = what === undefined ? everything() : what === block ? this.#icmp(what) : this.#element(what);
		if (sets === null) return;
		this.#place(element, sets, origin, block === undefined ? action?.name === "accept" : this.#inverted);
	}

	#place(element: Element, sets: readonly PacketSet[], { blocks, negated }: Origin, accepts: boolean): void {
		const families = familiesOf(element.attributes.get("family"), blocks);
		const none = { blocks: null, entries: null, interfaces: null };
		const shown = element.children.map(({ name, attributes }) => [name, ...attributes.values()].join(" "));
		const rule: ChainRule = {
			place: this.#context.place(element),
			text: `rich rule ${shown.join(" ")}`,
			match: setsOf({ ...none, blocks: negated ? null : blocks, entries: uniqueEntries(sets) }, families),
			unless: negated ? setsOf({ ...none, blocks }, families) : [],
			target: accepts ? accept : drop,
		};
		const priority = Number(element.attributes.get("priority") ?? "0");
		if (priority < 0) this.#parts.pre.push({ rule, priority });
		else if (priority > 0) this.#parts.post.push({ rule, priority });
		else (accepts ? this.#parts.allow : this.#parts.deny).push(rule);
	}

	/** Null where it is no address. */
	#origin(source: Element | undefined): Origin | null {
		if (source === undefined) return { blocks: null, negated: false };
		const blocks = addressesOf(source.attributes.get("address") ?? "");
		const negated = /^(?:yes|true)$/iu.test(source.attributes.get("invert") ?? "");
		return blocks === null ? null : { blocks, negated };
	}
}

/** Null: every address. */
interface Origin {
	readonly blocks: readonly Cidr[] | null;
	readonly negated: boolean;
}

/** What of a rich rule policies cannot say, or null. */
function problemOf(child: (...names: readonly string[]) => Element | undefined, action: Element | undefined) {
	if (child("masquerade", "forward-port", "tcp-mss-clamp", "mark") !== undefined)
		return "marks, forwarding and translation are not covered";
	if (action === undefined && child("icmp-block") === undefined) return "it says not what to do";
	if (action?.children.some(({ name }) => name === "limit")) return "limit";
	return child("destination") === undefined ? null : "destination is an address of the host";
}

/** An address has one family. */
function familiesOf(word: string | undefined, blocks: readonly Cidr[] | null): readonly Family[] {
	if (word === "ipv4") return [4];
	if (word === "ipv6") return [6];
	return blocks === null ? both : both.filter((family) => blocks.some((block) => block.family === family));
}

/** The protocols and ports of sets for every address, each once. */
function uniqueEntries(sets: readonly PacketSet[]): readonly Entry[] {
	const found = new Map<string, Entry>();
	for (const { protocol, ports, source } of sets)
		found.set(JSON.stringify([protocol, ports, source]), { protocol, ports, source });
	return [...found.values()];
}

function portEntries(text: string, word: string, source: boolean): readonly Entry[] | null {
	const protocol = parseProtocol(word);
	if (!isTransport(protocol)) return null;
	const ranges = portsOf(text.replace("-", ":"), protocol);
	if (ranges === null) return null;
	if (ranges === "all") return [{ protocol, ports: null, source: null }];
	return ranges.map((range) => ({ protocol, ports: source ? null : range, source: source ? range : null }));
}

function protocolEntries(word: string): readonly Entry[] | null {
	const protocol = protocolOfWord(word);
	return protocol === null || protocol === undefined ? null : [{ protocol, ports: null, source: null }];
}
