/**
 * Rules of which the first that matches decides, in chains that call each other, as packet filters have them; and the
 * one list that they are for packets with which a flow begins.
 */

import type { Place } from "../base/diagnostic.ts";
import type { Direction } from "../base/model.ts";
import { orderedLimits, TooInvolved } from "./limits.ts";
import type { Ordered } from "./order-free.ts";
import { everything, holds, type PacketSet, shared } from "./packets.ts";

export interface ChainRule {
	readonly place: Place;
	/** As its source says it. */
	readonly text: string;
	readonly match: readonly PacketSet[];
	/** Packets that the rule passes over, though it matches them: what a negation means. */
	readonly unless: readonly PacketSet[];
	readonly target: Target;
}

export type Target =
	| { readonly kind: "accept" }
	| { readonly kind: "drop" }
	| { readonly kind: "return" }
	/** `comes back`: what the chain does not decide goes on with the next rule; otherwise with the caller's next. */
	| { readonly kind: "jump"; readonly chain: string; readonly comesBack: boolean };

/** Where packets of a direction begin. Of several, each has to accept them. */
export interface Entrance {
	readonly chain: string;
	readonly packets: readonly PacketSet[];
	readonly accepts: boolean;
	readonly place: Place;
	/** What decides at the end, as its source says it. */
	readonly text: string;
}

export interface Ruleset {
	readonly chains: ReadonlyMap<string, readonly ChainRule[]>;
	readonly entrances: Readonly<Record<Direction, readonly Entrance[]>>;
}

export type OrderedRule = Ordered<PacketSet>;

/** The list of a direction; its last elements hold all packets that come in by an entrance. */
export function flatten(ruleset: Ruleset, direction: Direction): readonly OrderedRule[] {
	return new Flattener(ruleset.chains, ruleset.entrances[direction]).list();
}

/** Where packets go on that a chain does not decide about. */
interface Frame {
	readonly rules: readonly ChainRule[];
	readonly next: number;
	readonly caller: Frame | null;
}

class Flattener {
	readonly #chains: Ruleset["chains"];
	readonly #entrances: readonly Entrance[];
	readonly #list: OrderedRule[] = [];
	#looks = 0;

	constructor(chains: Ruleset["chains"], entrances: readonly Entrance[]) {
		this.#chains = chains;
		this.#entrances = entrances;
	}

	list(): readonly OrderedRule[] {
		this.#enter(0, everything(), 0);
		return this.#list;
	}

	/** Each entrance that has some of the packets asks its chain; the others let them pass. */
	#enter(at: number, packets: readonly PacketSet[], depth: number, last?: ChainRule): void {
		const entrance = this.#entrances[at];
		if (entrance === undefined) {
			if (last !== undefined) this.#add(packets, true, last);
			return;
		}
		const own = this.#both(packets, entrance.packets);
		if (own.length > 0) this.#run(this.#chains.get(entrance.chain) ?? [], 0, own, null, at, depth + 1);
		if (own.length > 0) this.#end(own, at, depth);
		const rest = packets.filter((one) => !own.some((other) => holds(other, one)));
		if (rest.length > 0) this.#enter(at + 1, rest, depth + 1, last);
	}

	/** The end of an entrance's chain. */
	#end(packets: readonly PacketSet[], at: number, depth: number): void {
		const entrance = this.#entrances[at];
		if (entrance === undefined) return;
		const { accepts, place, text } = entrance;
		const rule = { place, text, match: [], unless: [], target: { kind: "accept" } } as const;
		if (accepts) this.#enter(at + 1, packets, depth + 1, rule);
		else this.#add(packets, false, rule);
	}

	/** The rules of a chain from one of them on, for some packets. What falls off its end is the caller's. */
	#run(
		rules: readonly ChainRule[],
		from: number,
		packets: readonly PacketSet[],
		caller: Frame | null,
		at: number,
		depth: number,
	): void {
		if (depth > orderedLimits.depth) throw new TooInvolved("chains call each other too deeply");
		for (let i = from; i < rules.length; i++) {
			const rule = rules[i];
			if (rule === undefined) return;
			const matched = this.#both(packets, rule.match);
			if (matched.length === 0) continue;
			const here = { rules, next: i + 1, caller };
			const passedOver = this.#both(matched, rule.unless);
			if (passedOver.length > 0) this.#goOn(here, passedOver, at, depth + 1);
			const { target } = rule;
			if (target.kind === "drop") this.#add(matched, false, rule);
			else if (target.kind === "accept") this.#enter(at + 1, matched, depth + 1, rule);
			else if (target.kind === "return") this.#goOn(caller, matched, at, depth + 1);
			else {
				const called = this.#chains.get(target.chain) ?? [];
				this.#run(called, 0, matched, target.comesBack ? here : caller, at, depth + 1);
				if (!target.comesBack) this.#goOn(caller, matched, at, depth + 1);
			}
		}
	}

	#goOn(frame: Frame | null, packets: readonly PacketSet[], at: number, depth: number): void {
		if (frame === null) {
			this.#end(packets, at, depth);
			return;
		}
		this.#run(frame.rules, frame.next, packets, frame.caller, at, depth + 1);
		this.#goOn(frame.caller, packets, at, depth + 1);
	}

	#add(packets: readonly PacketSet[], accepts: boolean, { place, text }: ChainRule): void {
		for (const one of packets) this.#list.push({ set: one, accepts, place, text });
		if (this.#list.length > orderedLimits.rules)
			throw new TooInvolved(`more than ${orderedLimits.rules} conditions are not converted at once`);
	}

	#both(some: readonly PacketSet[], others: readonly PacketSet[]): readonly PacketSet[] {
		this.#looks += some.length * others.length + 1;
		if (this.#looks > orderedLimits.looks)
			throw new TooInvolved("the chains are too involved to be followed");
		return some.flatMap((one) => others.flatMap((other) => shared(one, other) ?? []));
	}
}
