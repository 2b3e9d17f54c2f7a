/** One rule of iptables: its conditions, as far as they have a counterpart, and what it does. */

import type { Place } from "../../base/diagnostic.ts";
import type { Direction, Family, InterfaceMatch, Protocol } from "../../base/model.ts";
import { isTransport } from "../../base/protocol.ts";
import { quote } from "../../base/suggest.ts";
import type { ChainRule, Target } from "../ordered.ts";
import { type Conditions, type Entry, type PacketSet, setsOf } from "../packets.ts";
import { meaningOfStates, type Reading, stateNotes } from "../reading.ts";
import { addressesOf, icmpTypesOf, interfaceOf, portsOf, protocolOfWord, type Ranges } from "../words.ts";

/** A line of a chain, not read yet: what it means depends on where its packets come from. */
export interface Line {
	readonly place: Place;
	readonly words: readonly string[];
	readonly text: string;
}

export interface RuleContext {
	readonly direction: Direction;
	readonly family: Family;
	readonly isChain: (name: string) => boolean;
}

/** Null where the rule decides about no new connection, or about none that can be told. */
export function readIptablesRule(line: Line, context: RuleContext, reading: Reading): ChainRule | null {
	const words = new RuleWords(line.words, context);
	const { place, text } = line;
	const goal = targetOf(words.target, words.comesBack, context);
	const verdict = goal?.kind === "accept" || goal?.kind === "drop" ? goal.kind : "other";
	if (words.target === null || nonDeciding.has(words.target)) {
		if (words.target !== null && loggers.has(words.target))
			reading.changed(place, `${words.target}: ${stateNotes.log}`);
		else reading.lost(place, `${quote(text)} decides nothing that policies know`);
		return null;
	}
	if (goal === null) {
		reading.lost(
			place,
			`${quote(words.target)} is no target that policies have; what it took is judged by the rules after it`,
		);
		return null;
	}
	if (words.never) {
		reading.same(place, `no packet of ${context.direction} has such an interface: ${text}`);
		return null;
	}
	if (words.loopback) {
		if (verdict !== "drop") reading.same(place, `loopback is always accepted: ${text}`);
		else reading.lost(place, `loopback is always accepted, and cannot be refused`);
		return null;
	}
	if (words.states !== null) {
		const meaning = meaningOfStates(words.states.names, words.states.negated, verdict);
		if (meaning === "same") {
			if (words.states.names.includes("RELATED")) reading.changed(place, stateNotes.related);
			reading.same(place, `open connections pass, and invalid packets do not: ${text}`);
			return null;
		}
		if (meaning === "other") {
			const message = `the states ${words.states.names.join()}: policies decide about new connections alone`;
			reading.lost(place, message);
			return null;
		}
	}
	if (words.unknown.length > 0) {
		const what = words.unknown.map(quote).join(", ");
		const then = verdict === "accept" ? "accepted" : verdict === "drop" ? "refused" : "passed on";
		reading.lost(place, `${what}: the rule is left out; what it ${then} is judged by the rules after it`);
		return null;
	}
	if (words.syn)
		reading.changed(place, "--syn: which packets open a connection is connection tracking's word");
	if (words.target === "REJECT") reading.changed(place, `REJECT: ${stateNotes.reject}`);
	return { place, text, ...words.sets(), target: goal };
}

const loggers: ReadonlySet<string> = new Set(["LOG", "NFLOG", "ULOG", "AUDIT"]);

/** Targets after which the next rule is asked. */
const nonDeciding: ReadonlySet<string> = new Set([
	...loggers,
	"MARK",
	"CONNMARK",
	"TRACE",
	"SET",
	"CLASSIFY",
]);

function targetOf(name: string | null, comesBack: boolean, { isChain }: RuleContext): Target | null {
	if (name === "ACCEPT") return { kind: "accept" };
	if (name === "DROP" || name === "REJECT") return { kind: "drop" };
	if (name === "RETURN") return { kind: "return" };
	return name !== null && isChain(name) ? { kind: "jump", chain: name, comesBack } : null;
}

/** Modules whose options are known, or that say nothing alone. */
const modules: ReadonlySet<string> = new Set([
	"tcp",
	"udp",
	"sctp",
	"icmp",
	"icmp6",
	"icmpv6",
	"multiport",
	"state",
	"conntrack",
	"comment",
	"iprange",
]);

/** Other names of options. */
const aliases: Readonly<Record<string, string>> = {
	"--source": "-s",
	"--src": "-s",
	"--destination": "-d",
	"--dst": "-d",
	"--in-interface": "-i",
	"--out-interface": "-o",
	"--protocol": "-p",
	"--proto": "-p",
	"--match": "-m",
	"--jump": "-j",
	"--goto": "-g",
	"--sports": "--sport",
	"--source-port": "--sport",
	"--source-ports": "--sport",
	"--dports": "--dport",
	"--destination-port": "--dport",
	"--destination-ports": "--dport",
	"--icmpv6-type": "--icmp-type",
	"--state": "--ctstate",
};

function isSyn(mask: string, flags: string): boolean {
	return flags === "SYN" && mask.split(",").sort().join() === "ACK,FIN,RST,SYN";
}

interface Named<T> {
	readonly values: T;
	readonly negated: boolean;
}

class RuleWords {
	target: string | null = null;
	comesBack = true;
	/** Conditions that have no counterpart. */
	readonly unknown: string[] = [];
	/** The rule names loopback. */
	loopback = false;
	/** It names an interface that packets of its direction do not have. */
	never = false;
	syn = false;
	states: { readonly names: readonly string[]; readonly negated: boolean } | null = null;
	readonly #family: Family;
	readonly #direction: Direction;
	#blocks: Named<NonNullable<Conditions["blocks"]>> | null = null;
	#protocol: Named<Protocol> | null = null;
	#ports: Named<Ranges> | null = null;
	#source: Named<Ranges> | null = null;
	#interface: Named<InterfaceMatch> | null = null;

	constructor(words: readonly string[], { direction, family }: RuleContext) {
		this.#direction = direction;
		this.#family = family;
		let negated = false;
		for (let at = 0; at < words.length; at++) {
			const word = words[at] ?? "";
			if (word === "!") {
				negated = true;
				continue;
			}
			const option = aliases[word] ?? word;
			const value = words[at + 1] ?? "";
			// What follows a target is its own.
			if (option === "-j" || option === "-g") {
				this.target = value;
				this.comesBack = option === "-j";
				return;
			}
			// As iptables-save writes --syn.
			const syn = option === "--tcp-flags" && isSyn(value, words[at + 2] ?? "");
			at += syn ? 2 + this.#option("--syn", "", negated) : this.#option(option, value, negated);
			negated = false;
		}
	}

	/** How many words after the option are its value. */
	#option(option: string, value: string, negated: boolean): number {
		switch (option) {
			case "-m":
				if (!modules.has(value)) this.unknown.push(`-m ${value}`);
				return 1;
			case "--comment":
				return 1;
			case "-s":
			case "-d":
			case "--src-range":
			case "--dst-range":
				return this.#address(option, value, negated);
			case "-i":
			case "-o":
				return this.#link(option, value, negated);
			case "-p": {
				const protocol = protocolOfWord(value);
				if (protocol === undefined) this.unknown.push(`-p ${value}`);
				else if (protocol !== null) this.#protocol = { values: protocol, negated };
				return 1;
			}
			case "--sport":
			case "--dport":
			case "--icmp-type":
				return this.#header(option, value, negated);
			case "--ctstate":
				this.states = { names: value.toUpperCase().split(","), negated };
				return 1;
			case "--syn":
				if (negated) this.unknown.push("! --syn");
				else this.syn = true;
				return 0;
			default:
				// A value of an option that is not known is not an option itself.
				if (option.startsWith("-")) this.unknown.push(option);
				return 0;
		}
	}

	#address(option: string, value: string, negated: boolean): number {
		const remote = this.#direction === "ingress" ? ["-s", "--src-range"] : ["-d", "--dst-range"];
		const blocks = addressesOf(value);
		const whole = blocks?.some(({ prefix }) => prefix === 0);
		if (whole && !negated) return 1;
		if (blocks === null || whole || !remote.includes(option) || this.#blocks !== null)
			this.unknown.push(`${negated ? "! " : ""}${option} ${value}`);
		else this.#blocks = { values: blocks, negated };
		return 1;
	}

	#link(option: string, value: string, negated: boolean): number {
		const match = interfaceOf(value);
		const own = option === (this.#direction === "ingress" ? "-i" : "-o");
		if (match === undefined) this.unknown.push(`${option} ${value}`);
		else if (!own) this.never ||= !negated;
		else if (match?.name === "lo" && !match.prefix) this.loopback ||= !negated;
		else if (match !== null) this.#interface = { values: match, negated };
		return 1;
	}

	#header(option: string, value: string, negated: boolean): number {
		const protocol = this.#protocol?.negated === false ? this.#protocol.values : null;
		const ranges =
			option === "--icmp-type"
				? icmpTypesOf(value, protocol)
				: isTransport(protocol)
					? portsOf(value, protocol)
					: null;
		if (ranges === null) this.unknown.push(`${option} ${value}`);
		else if (ranges !== "all") {
			if (option === "--dport") this.#ports = { values: ranges, negated };
			else this.#source = { values: ranges, negated };
		}
		return 1;
	}

	/** What the rule matches, and what its negations pass over. */
	sets(): { readonly match: readonly PacketSet[]; readonly unless: readonly PacketSet[] } {
		const protocol = this.#protocol?.negated === false ? this.#protocol.values : null;
		const plain = <T>(named: Named<T> | null): T | null => (named?.negated === false ? named.values : null);
		const link = plain(this.#interface);
		const match = this.#sets({
			blocks: plain(this.#blocks),
			entries: this.#entries(protocol, plain(this.#ports), plain(this.#source)),
			interfaces: link === null ? null : [link],
		});
		const none: Conditions = { blocks: null, entries: null, interfaces: null };
		const unless: PacketSet[] = [];
		if (this.#blocks?.negated) unless.push(...this.#sets({ ...none, blocks: this.#blocks.values }));
		if (this.#interface?.negated)
			unless.push(...this.#sets({ ...none, interfaces: [this.#interface.values] }));
		if (this.#protocol?.negated)
			unless.push(...this.#sets({ ...none, entries: this.#entries(this.#protocol.values, null, null) }));
		if (this.#ports?.negated)
			unless.push(...this.#sets({ ...none, entries: this.#entries(protocol, this.#ports.values, null) }));
		if (this.#source?.negated)
			unless.push(...this.#sets({ ...none, entries: this.#entries(protocol, null, this.#source.values) }));
		return { match, unless };
	}

	#sets(conditions: Conditions): readonly PacketSet[] {
		return setsOf(conditions, [this.#family]);
	}

	#entries(protocol: Protocol | null, ports: Ranges | null, source: Ranges | null): readonly Entry[] | null {
		if (protocol === null) return null;
		return (ports ?? [null]).flatMap((range) =>
			(source ?? [null]).map((from) => ({ protocol, ports: range, source: from })),
		);
	}
}
