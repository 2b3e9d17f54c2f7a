/**
 * The compiled decision structure: what `explain` asks and what the kernel's
 * rules are rendered from.
 */

import type { Action, Direction, Family, Protocol } from "../../../base/model.ts";
import { formatSuffix } from "../../../base/suffix.ts";
import type { NetworkPolicy } from "../model.ts";
import { type Address, type Atom, interfaceMatches } from "./atom.ts";
import { type Failsafe, type FailsafeProgram, failsafeHoldsAddress, failsafePrograms } from "./failsafe.ts";
import {
	groups,
	type InterfaceProgram,
	type SenderProgram,
	type Senders,
	type SendersProgram,
	type Sequences,
	type Suffixes,
} from "./groups.ts";
import type { GuestOptions } from "./guests.ts";
import type { CompiledRule } from "./plan.ts";
import type { CompiledQuota } from "./quota.ts";
import { type DirectionRules, holding, type KnownRules, postureRule, rulesOf } from "./rules.ts";
import {
	kindOf,
	type NamedSets,
	namedSets,
	type ResolveAccount,
	type SenderKey,
	senderKey,
} from "./sender.ts";
import { kindKey, kindOfAddress, type SuffixKind } from "./suffixes.ts";
import { find, type Key, type Step } from "./table.ts";

/** Its own groups are for addresses that no suffix matches. */
export interface DirectionProgram extends SendersProgram {
	readonly rules: readonly CompiledRule[];
	readonly atoms: readonly Atom[];
	/** What rules name of suffixes, with a program for each kind of addresses; absent where they name none. */
	readonly suffixes?: Suffixes;
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

/** What is met on an interface, at addresses that no suffix matches: see atAddress. */
export function sequencesFor(program: DirectionProgram, name: string, sender?: SenderKey): Sequences {
	return sequencesOn(programFor(program, sender), name);
}

function sequencesOn({ members, literals, prefixes, others }: InterfaceProgram, name: string): Sequences {
	const literal = [...members, ...literals].find((group) => group.name === name);
	const prefix = literal ?? prefixes.find((group) => name.startsWith(group.name));
	return prefix?.sequences ?? others;
}

/** What is met on an interface by whatever sender, at whatever address: equal for interfaces that fare alike everywhere. */
export function allSequencesOn(program: DirectionProgram, name: string): readonly Sequences[] {
	const bySender = (one: SendersProgram) => [one, ...(one.senders?.programs ?? [])];
	const all = [program, ...(program.suffixes?.programs ?? [])].flatMap(bySender);
	return all.map((one) => sequencesOn(one, name));
}

/** The program as one kind of senders meets it. */
export function seenBy(program: DirectionProgram, sender: SenderKey): DirectionProgram {
	const groups = (one: SendersProgram): InterfaceProgram => {
		const { literals, prefixes, others, members } = programFor(one, sender);
		return { literals, prefixes, others, members };
	};
	const { senders: _, suffixes, ...rest } = program;
	const seen = { ...rest, ...groups(program) };
	if (suffixes === undefined) return seen;
	const programs = suffixes.programs.map((one) => ({ kind: one.kind, ...groups(one) }));
	return { ...seen, suffixes: { named: suffixes.named, programs } };
}

/** The program as addresses of one kind meet it; what it does not name of the kind does not matter. */
export function atKind(program: DirectionProgram, kind: SuffixKind): DirectionProgram {
	if (program.suffixes === undefined) return program;
	const own = kindKey(kind);
	const known = kinds.get(program) ?? new Map<string, DirectionProgram>();
	kinds.set(program, known);
	const found = known.get(own) ?? programAt(program, program.suffixes, new Set(kind.map(formatSuffix)));
	known.set(own, found);
	return found;
}

function programAt(
	program: DirectionProgram,
	{ named, programs }: Suffixes,
	kind: ReadonlySet<string>,
): DirectionProgram {
	const wanted = kindKey(named.filter((suffix) => kind.has(formatSuffix(suffix))));
	const { suffixes: _, ...base } = program;
	const found = programs.find((one) => kindKey(one.kind) === wanted);
	if (found === undefined) return base;
	const { senders: __, ...rest } = base;
	const { kind: ___, ...met } = found;
	return { ...rest, ...met };
}

/** The program as one remote address meets it. */
export function atAddress(program: DirectionProgram, family: Family, address: bigint): DirectionProgram {
	if (program.suffixes === undefined) return program;
	return atKind(program, family === 4 ? [] : kindOfAddress(program.suffixes.named, address));
}

/** Found once: whoever judges many flows asks for each. */
const kinds = new WeakMap<DirectionProgram, Map<string, DirectionProgram>>();

function programFor(program: SendersProgram, sender: SenderKey | undefined): InterfaceProgram {
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
	const met = atAddress(program, packet.family, packet.address);
	return decideBySteps(program, sequencesFor(met, packet.interface, packet.sender)[packet.family], key);
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
