/**
 * The compiled decision structure: what `explain` asks and what the kernel's
 * rules are rendered from.
 */

import type { Action, Direction, Family, InterfaceMatch, Protocol } from "../../../base/model.ts";
import type { NetworkPolicy } from "../model.ts";
import { type Address, type Atom, interfaceDepth, interfaceKey, interfaceMatches } from "./atom.ts";
import { type Failsafe, type FailsafeProgram, failsafeHoldsAddress, failsafePrograms } from "./failsafe.ts";
import type { GuestOptions } from "./guests.ts";
import { Axis } from "./interval.ts";
import type { CompiledRule } from "./plan.ts";
import type { CompiledQuota } from "./quota.ts";
import { type DirectionRules, holding, type KnownRules, postureRule, rulesOf } from "./rules.ts";
import {
	kindOf,
	type NamedSenders,
	type NamedSets,
	namedSenders,
	namedSets,
	noSender,
	type ResolveAccount,
	type SenderKey,
	senderCombinations,
	senderKey,
} from "./sender.ts";
import { buildSequence, type SequenceScope, takesPart } from "./sequence.ts";
import { buildStreams, type Scope, type Stream, scopeKey, withoutDuplicates } from "./stream.ts";
import { find, type Key, type Step } from "./table.ts";

/** The lookups of one interface group, by family. */
export type Sequences = Readonly<Record<Family, readonly Step[]>>;

/** What the packets of some senders meet. */
export interface InterfaceProgram {
	/** Groups of single interfaces by name, and of prefixes, longest first. */
	readonly literals: readonly { readonly name: string; readonly sequences: Sequences }[];
	readonly prefixes: readonly { readonly name: string; readonly sequences: Sequences }[];
	/** Every other interface. */
	readonly others: Sequences;
	/** This host's members of VRFs that some rule names, and what their packets meet: the rules of both names. */
	readonly members: readonly { readonly name: string; readonly sequences: Sequences }[];
}

/** The same for one kind of senders that rules name. */
export interface SenderProgram extends InterfaceProgram {
	readonly sender: SenderKey;
}

interface Senders {
	readonly named: NamedSenders;
	readonly programs: readonly SenderProgram[];
}

/** Its own groups are for senders that no rule names, and for packets that nobody sends. */
export interface DirectionProgram extends InterfaceProgram {
	readonly rules: readonly CompiledRule[];
	readonly atoms: readonly Atom[];
	/** What rules name of senders, with a program for each kind; absent where they name none. */
	readonly senders?: Senders;
	/** The VRF of each member on this host. */
	readonly vrfOf: ReadonlyMap<string, string>;
	readonly allowlistMode: boolean;
	/** Asked before the rest; the first that matches accepts. */
	readonly failsafe: readonly FailsafeProgram[];
	/** Decides what no atom matches; null: such packets are accepted silently. */
	readonly posture: CompiledRule | null;
}

export type Programs = Readonly<Record<Direction, DirectionProgram>>;

/** What this host itself receives and sends is decided by the two programs. */
export interface NetworkModel extends Programs {
	/** What it forwards to its guests, as ingress, and from them; the same programs where no policy tells the two apart. Absent: nothing of that is judged. */
	readonly guests?: Programs;
	/** Absent: no rule has a quota. Verdicts are those while none is exhausted. */
	readonly quotas?: readonly CompiledQuota[];
	/** The same as if what is staged were in force; absent where nothing is. It has none of its own. */
	readonly staged?: NetworkModel;
}

/** The model of what is forwarded, to be asked like that of the host; null where nothing of that is judged. */
export function guestModel({ guests }: NetworkModel): NetworkModel | null {
	return guests ?? null;
}

/** A VRF of this host. What its members carry goes by its name, too. */
export interface Vrf {
	readonly name: string;
	readonly members: readonly string[];
}

/** What decides the meaning of a set of policies, beside the policies. */
export interface Meaning {
	readonly posture: "audit" | "block";
	readonly allowlistScope: "direction" | "host";
	readonly failsafe: Failsafe;
	/** The VRFs of this host; none where it is left out. */
	readonly vrfs?: readonly Vrf[];
	/** What of forwarded packets is judged; nothing where it is left out. */
	readonly guests?: GuestOptions;
	/** Tells the numbers of users and groups; nobody has one where it is left out. */
	readonly resolve?: ResolveAccount;
}

/** The rules of the selected policies, from which the model is built. */
export type RuleSets = Readonly<Record<Direction, DirectionRules>>;

export function ruleSets(
	policies: readonly NetworkPolicy[],
	{ resolve }: Pick<Meaning, "resolve"> = {},
	known?: KnownRules,
): RuleSets {
	return {
		ingress: rulesOf(policies, "ingress", known, resolve),
		egress: rulesOf(policies, "egress", known, resolve),
	};
}

export function buildModel(rules: RuleSets, meaning: Meaning): NetworkModel {
	const host = rulesFor(rules, "host");
	const own = buildPrograms(host, meaning);
	if (meaning.guests === undefined) return own;
	const guests = rulesFor(rules, "guests");
	// Most policies hold for both, and then all is built once.
	return { ...own, guests: host === rules && guests === rules ? own : buildPrograms(guests, meaning) };
}

/** The rules that hold at a place; the same object where all do. */
function rulesFor(rules: RuleSets, place: "host" | "guests"): RuleSets {
	const ingress = holding(rules.ingress, place);
	const egress = holding(rules.egress, place);
	return ingress === rules.ingress && egress === rules.egress ? rules : { ingress, egress };
}

function buildPrograms({ ingress, egress }: RuleSets, meaning: Meaning): Programs {
	const allows = (direction: { readonly rules: readonly CompiledRule[] }) =>
		direction.rules.some((rule) => rule.action === "Allow");
	const host = meaning.allowlistScope === "host";
	const vrfOf = new Map(
		(meaning.vrfs ?? []).flatMap(({ name, members }) => members.map((member) => [member, name] as const)),
	);
	const build = (direction: Direction, own: typeof ingress, other: typeof ingress): DirectionProgram => {
		const allowlistMode = allows(own) || (host && allows(other));
		const posture = allowlistMode ? postureRule(direction, meaning.posture) : null;
		const failsafe = failsafePrograms(meaning.failsafe, direction);
		return { ...own, ...groups(own.atoms, vrfOf), allowlistMode, failsafe, posture };
	};
	return { ingress: build("ingress", ingress, egress), egress: build("egress", egress, ingress) };
}

/**
 * One group for each interface match that a rule names, one for all other interfaces, and one for each member of a VRF
 * whose packets a rule of the VRF's name may mean.
 */
function groups(
	all: readonly Atom[],
	vrfOf: DirectionProgram["vrfOf"],
): Pick<DirectionProgram, keyof InterfaceProgram | "vrfOf" | "senders"> {
	const matches = new Map<string, InterfaceMatch | null>();
	for (const atom of all) matches.set(interfaceKey(atom.interface), atom.interface);
	const anySender = all.every(({ sender }) => sender === undefined);
	const alone = anySender && [...matches.keys()].every((key) => key === "");
	const build4 = familyBuilder(all, 4, alone);
	const build6 = familyBuilder(all, 6, alone);
	const of = (sender: SenderKey) =>
		byInterface(matches, vrfOf, (...within) => ({
			4: build4({ within, sender }),
			6: build6({ within, sender }),
		}));
	if (anySender) return { ...of(noSender), vrfOf };
	const named = namedSenders(all.map(({ sender }) => sender));
	const programs = senderCombinations(named).map((sender) => ({ sender, ...of(sender) }));
	return { ...of(noSender), vrfOf, senders: { named, programs } };
}

function byInterface(
	matches: ReadonlyMap<string, InterfaceMatch | null>,
	vrfOf: DirectionProgram["vrfOf"],
	sequences: (...within: readonly (InterfaceMatch | null)[]) => Sequences,
): InterfaceProgram {
	const named = [...matches.values()].filter((match) => match !== null);
	named.sort((a, b) => interfaceDepth(b) - interfaceDepth(a) || (a.name < b.name ? -1 : 1));
	const group = (match: InterfaceMatch) => ({ name: match.name, sequences: sequences(match) });
	return {
		literals: named.filter((match) => !match.prefix).map(group),
		prefixes: named.filter((match) => match.prefix).map(group),
		others: sequences(null),
		members: [...vrfOf]
			.filter(([, vrf]) => named.some((match) => interfaceMatches(match, [vrf])))
			.map(([name, vrf]) => ({
				name,
				sequences: sequences({ name, prefix: false }, { name: vrf, prefix: false }),
			})),
	};
}

/** Builds the sequence of a group; groups that the same atoms are for share one. */
function familyBuilder(
	all: readonly Atom[],
	family: Family,
	alone: boolean,
): (scope: SequenceScope) => readonly Step[] {
	const atoms = withoutDuplicates(all.filter((atom) => atom.family === family));
	const axis = Axis.of(atoms, family);
	const streams: readonly Stream[] = buildStreams(atoms, axis);
	const named = new Map<string, Scope>();
	for (const atom of atoms) named.set(scopeKey(atom), atom);
	const built = new Map<string, readonly Step[]>();
	return (scope) => {
		const members = [...named].filter(([, outer]) => takesPart(scope, outer));
		const key = JSON.stringify(members.map(([name]) => name).sort());
		const known = built.get(key) ?? buildSequence(scope, atoms, streams, axis, alone);
		built.set(key, known);
		return known;
	};
}

export interface Packet {
	readonly direction: Direction;
	readonly family: Family;
	/** The remote end, as an unsigned integer. */
	readonly address: bigint;
	readonly interface: string;
	/** Null: one that no rule names. */
	readonly protocol: Protocol | null;
	/** The destination port, 0..65535; without meaning for protocols without ports. */
	readonly port: number;
	/** The source port, or the type of ICMP and ICMPv6. Null: one that no rule names. */
	readonly source: number | null;
	/** Absent: nobody whom a rule names. */
	readonly sender?: SenderKey;
}

export interface Verdict {
	readonly action: Action;
	/** Null: no atom matched and the direction has no allowlist, so the packet is accepted silently. */
	readonly rule: CompiledRule | null;
}

export function sequencesFor(program: DirectionProgram, name: string, sender?: SenderKey): Sequences {
	const { members, literals, prefixes, others } = programFor(program, sender);
	const literal = [...members, ...literals].find((group) => group.name === name);
	const prefix = literal ?? prefixes.find((group) => name.startsWith(group.name));
	return prefix?.sequences ?? others;
}

/** The program as one kind of senders meets it. */
export function seenBy(program: DirectionProgram, sender: SenderKey): DirectionProgram {
	const { literals, prefixes, others, members } = programFor(program, sender);
	const { senders: _, ...rest } = program;
	return { ...rest, literals, prefixes, others, members };
}

function programFor(program: DirectionProgram, sender: SenderKey | undefined): InterfaceProgram {
	const { senders } = program;
	if (senders === undefined || sender === undefined) return program;
	const index = indexes.get(senders) ?? new SenderIndex(senders);
	indexes.set(senders, index);
	return index.of(sender) ?? program;
}

/** Found once: whoever judges open flows asks for each of them about each sender that it may have. */
const indexes = new WeakMap<Senders, SenderIndex>();

/** The programs by the kind of their senders. */
class SenderIndex {
	readonly #known: NamedSets;
	readonly #programs: ReadonlyMap<string, SenderProgram>;

	constructor({ named, programs }: Senders) {
		this.#known = namedSets(named);
		this.#programs = new Map(programs.map((program) => [senderKey(program.sender), program]));
	}

	of(sender: SenderKey): SenderProgram | undefined {
		return this.#programs.get(senderKey(kindOf(this.#known, sender)));
	}
}

/** All that a packet's interface goes by. */
export function namesOf({ vrfOf }: Pick<DirectionProgram, "vrfOf">, name: string): readonly string[] {
	const vrf = vrfOf.get(name);
	return vrf === undefined ? [name] : [name, vrf];
}

/** The failsafe rule that accepts a packet of a new connection, or null. */
export function findFailsafe(
	program: DirectionProgram,
	packet: Omit<Packet, "direction" | "sender">,
): CompiledRule | null {
	const names = namesOf(program, packet.interface);
	const found = program.failsafe.find(
		({ match }) =>
			interfaceMatches(match.interface, names) &&
			(match.protocol === null || match.protocol === packet.protocol) &&
			((match.icmpType ?? null) === null || match.icmpType === packet.source) &&
			(match.port === null || (match.port.first <= packet.port && packet.port <= match.port.last)) &&
			(match.cidr === null ||
				(match.cidr.family === packet.family && failsafeHoldsAddress(match.cidr, packet.address))),
	);
	return found?.rule ?? null;
}

/**
 * The verdict that the kernel rules give a packet of a new connection, once
 * loopback, established connections, essentials and invalid packets are out
 * of the way.
 */
export function decidePacket(model: NetworkModel, packet: Packet): Verdict {
	const program = model[packet.direction];
	const failsafe = findFailsafe(program, packet);
	if (failsafe !== null) return { action: "Allow", rule: failsafe };
	return decideByPolicies(program, packet);
}

/** What the policies alone say. */
export function decideByPolicies(program: DirectionProgram, packet: Packet): Verdict {
	const address: Address = packet.family === 4 ? Number(packet.address) : packet.address;
	const key: Key = { address, protocol: packet.protocol, source: packet.source, port: packet.port };
	return decideBySteps(program, sequencesFor(program, packet.interface, packet.sender)[packet.family], key);
}

/** The same where the interface's lookups are known. */
export function decideBySteps(program: DirectionProgram, steps: readonly Step[], key: Key): Verdict {
	for (const step of steps) {
		if (step.exempt.some((table) => find(table, key) !== null)) continue;
		const rank = find(step.table, key);
		const rule = rank === null ? undefined : program.rules[rank];
		if (rule !== undefined) return { action: rule.action, rule };
	}
	return { action: program.posture?.action ?? "Allow", rule: program.posture };
}
