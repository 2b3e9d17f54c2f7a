/** One direction of a model: its root, with everything that is reached from there. */

import type { Direction, Family } from "../../../../base/model.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import {
	byInterface,
	counted,
	goto,
	type InterfaceKey,
	joined,
	jump,
	ofFamily,
	quotedInterface,
} from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import { endedChain, forwardChain, invalidCounter, type Seen as SeenName } from "../../names.ts";
import { interfaceMatches } from "../atom.ts";
import { type FailsafeProgram, failsafeText, memberText } from "../failsafe.ts";
import type { InterfaceProgram, SendersProgram, Sequences } from "../groups.ts";
import { type CompiledRule, namesMembers, type RulesetForm } from "../plan.ts";
import type { DirectionProgram } from "../program.ts";
import type { Step } from "../table.ts";
import type { LookupContext } from "./cell-sets.ts";
import { acceptRelated, addEssentials, errors } from "./essentials.ts";
import { addGuestEssentials, behindGuests } from "./guests.ts";
import { addCounters, addLeaf, addMidstream, type LeafUse } from "./leaf.ts";
import { addLimits, withLimits } from "./limits.ts";
import { stepRules } from "./lookups.ts";
import type { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";
import type { PortKey } from "./port-key.ts";
import { addSeen } from "./seen.ts";
import { senderRules } from "./senders.ts";
import { suffixRules } from "./suffixes.ts";
import { withinVrfs } from "./vrf.ts";

export interface DirectionOptions extends RenderOptions {
	/** Some packet is blocked, of whatever direction. */
	readonly blocks: boolean;
	readonly seen: Seen;
}

/** Where the packets of a tree are seen. All trees share the maps whose elements lead to the same verdicts. */
export interface Seen {
	/** Between two interfaces, and not by this host itself. */
	readonly forwarded: boolean;
	/** How destination ports are read. */
	readonly ports: PortKey;
	/** What trees share whose rules have the same chains: see LookupContext. */
	readonly made: LookupContext["made"];
	/** Which packets meet the chain of a rule. */
	leafUse(rule: CompiledRule): LeafUse;
	/**
	 * The tree judges what passed already, for what is staged: it drops nothing, counts each packet that it asks its rules
	 * about here, and knows no other counter than those of rules that would block.
	 */
	readonly evaluated?: string;
	/** It judges where packets leave though nothing in it asks for that: what is in force does so, and comes before it. */
	readonly leaves?: boolean;
}

/**
 * What a packet's interface is looked up by, the first that a rule names. In a VRF a packet comes in by the VRF, as the
 * kernel has it, and by the member that it really came by, which older kernels do not tell.
 */
function interfaceKeys(direction: Direction, form: RulesetForm): readonly InterfaceKey[] {
	if (direction === "egress") return ["oifname"];
	return namesMembers(form) ? ["meta sdifname", "iifname"] : ["iifname"];
}

/** Whether any rule of a direction looks at the interface. */
function namesInterfaces({ literals, prefixes, failsafe }: DirectionProgram): boolean {
	return literals.length + prefixes.length > 0 || failsafe.some(({ match }) => match.interface !== null);
}

/** Whether a posture spares what this host sends to guests. */
function sparesGuests(
	{ posture }: DirectionProgram,
	{ essentials, guests }: Pick<RenderOptions, "essentials" | "guests">,
): boolean {
	return posture !== null && essentials && guests !== undefined;
}

/**
 * Whether what this host sends is judged where the interface is known that it leaves by in the end: a packet to an
 * own published port is loopback until it is translated, and in `output` for the kernel ever after.
 */
export function judgesLeaving(
	egress: DirectionProgram,
	options: Pick<RenderOptions, "essentials" | "guests">,
): boolean {
	return namesInterfaces(egress) || sparesGuests(egress, options);
}

/** Made for one rendering. */
export class DirectionRenderer {
	readonly #store: ObjectStore;
	readonly #program: DirectionProgram;
	readonly #direction: Direction;
	readonly #options: DirectionOptions;
	/** Map elements that lead to each rule, by rule id. */
	readonly #cost: Map<string, number>;
	/** The chain of each rule that has one, by rank. */
	readonly #leaves = new Map<number, string>();
	/** What decides the packets of each sequence. */
	readonly #sequences = new Map<readonly Step[], Rule>();
	/** What becomes of packets that no rule matches. */
	#end: Rule = "accept";
	/** The chain for packets in the midst of connections; null where there is none. */
	#midstream: string | null = null;

	constructor(
		store: ObjectStore,
		program: DirectionProgram,
		direction: Direction,
		options: DirectionOptions,
		cost: Map<string, number>,
	) {
		this.#store = store;
		this.#program = program;
		this.#direction = direction;
		this.#options = options;
		this.#cost = cost;
	}

	/** Adds everything to the store, and returns the name of the root. */
	render(): string {
		const { posture } = this.#program;
		this.#addCounters();
		if (posture !== null) this.#end = this.#posture(posture);
		if (this.#direction === "egress" && this.#options.blocks && !this.#forwarded)
			this.#midstream = this.#silent ? this.#pass() : addMidstream(this.#store, this.#options);
		// The family is asked first: every comparison that a flow is spared counts.
		const families = [joined(`${ofFamily(4)} `, goto(this.#root(4))), goto(this.#root(6))];
		const loopback = this.#forwarded ? [] : withinVrfs(this.#store, this.#direction, this.#options);
		return this.#store.chain([...loopback, ...families]);
	}

	get #silent(): boolean {
		return this.#options.seen.evaluated !== undefined;
	}

	#pass(): string {
		return this.#store.chain(["accept"]);
	}

	get #forwarded(): boolean {
		return this.#options.seen.forwarded;
	}

	/** What is counted and ended apart. */
	get #apart(): SeenName {
		return this.#forwarded ? forwardChain : this.#direction;
	}

	/** What the posture does; what this host sends to guests in their clients' stead goes on. */
	#posture(rule: CompiledRule): Rule {
		const leaf = goto(this.#addLeaf(rule));
		const { guests } = this.#options;
		if (this.#direction !== "egress" || this.#forwarded || guests === undefined) return leaf;
		if (!sparesGuests(this.#program, this.#options)) return leaf;
		const spared = behindGuests(guests, "oif").map((behind) => joined(behind, " accept"));
		return goto(this.#store.chain([...spared, leaf]));
	}

	#addLeaf(rule: CompiledRule): string {
		return addLeaf(this.#store, rule, this.#options.seen.leafUse(rule), this.#options);
	}

	/** The chain of a rule, behind those of its limits where it has some. */
	#addLimited(rule: CompiledRule): string {
		const use = this.#options.seen.leafUse(rule);
		const add = (one: CompiledRule) =>
			this.#silent && one.wouldBe === undefined
				? this.#pass()
				: addLeaf(this.#store, one, use, this.#options);
		return addLimits(this.#store, rule, add);
	}

	#addCounters(): void {
		const { rules, posture, failsafe } = this.#program;
		const { evaluated } = this.#options.seen;
		if (evaluated !== undefined) {
			this.#store.counter(evaluated);
			for (const rule of [...rules.flatMap(withLimits), posture])
				if (rule?.wouldBe !== undefined) addCounters(this.#store, rule);
			return;
		}
		this.#store.counter(invalidCounter(this.#apart));
		for (const { planned } of failsafe) this.#store.counter(planned.counter);
		const all = rules.flatMap(withLimits);
		for (const rule of posture === null ? all : [...all, posture]) addCounters(this.#store, rule);
	}

	/** The chain that new flows of a family go through. */
	#root(family: Family): string {
		const { essentials, related } = this.#options;
		const rules: Rule[] = essentials ? [...this.#essentials(family)] : [];
		if (related === "accept") rules.push(...acceptRelated(family));
		rules.push(...this.#invalid());
		if (this.#options.observe === true && !this.#silent) rules.push(jump(this.#seen(family)));
		for (const program of this.#program.failsafe) {
			if ((program.match.cidr?.family ?? family) === family) rules.push(...this.#failsafe(program));
		}
		const { evaluated } = this.#options.seen;
		if (evaluated === undefined) rules.push(jump(endedChain(this.#apart)));
		// What is invalid or untracked opens no flow.
		if (this.#midstream !== null)
			rules.push(joined("tcp flags & syn == 0 ct state new ", goto(this.#midstream)));
		if (evaluated !== undefined) rules.push(counted(evaluated));
		const decided = (program: InterfaceProgram) => [
			...this.#byInterface(program, family),
			this.#sequence(program.others, family),
		];
		const leaving = this.#options.seen.leaves === true || judgesLeaving(this.#program, this.#options);
		const context = { store: this.#store, family, leaving, rules: decided };
		const met = (program: SendersProgram) => [...senderRules(program, context), ...decided(program)];
		const side = this.#direction === "ingress" ? "saddr" : "daddr";
		if (family === 6) rules.push(...suffixRules(this.#store, this.#program, side, met));
		rules.push(...met(this.#program));
		return this.#store.chain(rules);
	}

	#essentials(family: Family): readonly Rule[] {
		if (this.#forwarded) return [errors[family]];
		const own = addEssentials(this.#store, this.#direction, family);
		const { guests } = this.#options;
		if (this.#direction === "egress" || guests === undefined) return own;
		return [...own, ...addGuestEssentials(this.#store, guests, family)];
	}

	/** The chain that counts new flows: behind what opens none, and before whatever may decide. */
	#seen(family: Family): string {
		const { read } = this.#options.seen.ports.read();
		return addSeen(this.#store, family, {
			direction: this.#direction,
			forwarded: this.#forwarded,
			port: read,
		});
	}

	/** Without any rule nothing is dropped: hosts on asymmetric paths see half of their flows. */
	#invalid(): readonly Rule[] {
		const { rules, posture } = this.#program;
		if (rules.length === 0 && posture === null) return [];
		const { invalidPackets, guests } = this.#options;
		// Where they are dropped they are nothing for policies to judge.
		if (this.#silent) return invalidPackets === "accept" ? [] : ["ct state invalid accept"];
		const passes = invalidPackets === "accept" || (this.#forwarded && guests?.forwarded === "audit");
		return [`ct state invalid ${counted(invalidCounter(this.#apart))}${passes ? "" : " drop"}`];
	}

	#failsafe(program: FailsafeProgram): readonly Rule[] {
		const { match, planned } = program;
		const { ports } = this.#options.seen;
		const { interface: named } = match;
		const counts = !this.#silent;
		const text = failsafeText(program, ports, counts);
		if (named === null) return [text];
		if (this.#direction === "ingress") {
			if (!namesMembers(this.#options.form)) return [text];
			return [text, memberText(program, "meta sdifname", planned.interface ?? "", ports, counts)];
		}
		// What a VRF's rule means leaves by a member.
		const members = [...this.#program.vrfOf].filter(
			([member, vrf]) => interfaceMatches(named, [vrf]) && isPlainInterface(member),
		);
		return [text, ...members.map(([member]) => memberText(program, "oifname", member, ports, counts))];
	}

	/** Leads packets of interfaces that rules name to their sequences. */
	#byInterface({ literals, prefixes, members }: InterfaceProgram, family: Family): readonly Rule[] {
		const plain = members.filter(({ name }) => isPlainInterface(name));
		const inVrf = new Map([...literals, ...plain].map((group) => [group.name, group]));
		return interfaceKeys(this.#direction, this.#options.form).flatMap((key) => {
			// A packet comes in by the member beside its VRF, and goes out by the member alone.
			const groups = [...(key === "iifname" ? literals : inVrf.values())];
			const cases = groups.map(({ name, sequences }, i) =>
				joined(i === 0 ? "" : ", ", `${quotedInterface(name)} : `, this.#sequence(sequences, family)),
			);
			const exact = cases.length === 0 ? [] : [joined(`${key} vmap { `, ...cases, " }")];
			const beginnings = prefixes.map(({ name, sequences }) =>
				joined(`${byInterface(key, `${name}*`)} `, this.#sequence(sequences, family)),
			);
			return [...exact, ...beginnings];
		});
	}

	#sequence(sequences: Sequences, family: Family): Rule {
		const steps = sequences[family];
		if (steps.length === 0) return this.#end;
		const known = this.#sequences.get(steps);
		if (known !== undefined) return known;
		const context = this.#context(family);
		const rules = steps.flatMap((step) => stepRules(context, step));
		const verdict = goto(this.#store.chain([...rules, this.#end]));
		this.#sequences.set(steps, verdict);
		return verdict;
	}

	#context(family: Family): LookupContext {
		const { form, hashFrom } = this.#options;
		return {
			store: this.#store,
			form,
			family,
			direction: this.#direction,
			ports: this.#options.seen.ports,
			made: this.#options.seen.made,
			hashFrom,
			leaf: (rank) => this.#leaf(rank),
			silent: (rank) => {
				const rule = this.#program.rules[rank];
				if (this.#silent || rule === undefined || rule.logCounter !== null) return null;
				return rule.limits === undefined ? rule.counter : null;
			},
			count: (rank, elements = 1) => {
				const id = this.#program.rules[rank]?.id ?? "";
				this.#cost.set(id, (this.#cost.get(id) ?? 0) + elements);
			},
		};
	}

	/** A rule whose packets are all accepted by a counter map has no chain. */
	#leaf(rank: number): string {
		const rule = this.#ruleOf(rank);
		const chain = this.#leaves.get(rank) ?? this.#addLimited(rule);
		this.#leaves.set(rank, chain);
		return chain;
	}

	#ruleOf(rank: number): CompiledRule {
		const rule = this.#program.rules[rank];
		if (rule === undefined) throw new RangeError("no rule of this rank");
		return rule;
	}
}
