/** What packets meet by their interface, their sender and the kind of their address, out of all atoms of a direction. */

import type { Family, InterfaceMatch } from "../../../base/model.ts";
import type { Suffix } from "../../../base/suffix.ts";
import { type Atom, interfaceDepth, interfaceKey, interfaceMatches } from "./atom.ts";
import { Axis } from "./interval.ts";
import { type NamedSenders, namedSenders, noSender, type SenderKey, senderCombinations } from "./sender.ts";
import { buildSequence, type SequenceScope, takesPart } from "./sequence.ts";
import { buildStreams, type Scope, type Stream, scopeKey, withoutDuplicates } from "./stream.ts";
import { mostSuffixKinds, type SuffixKind, suffixesNamed, suffixKinds, withInside } from "./suffixes.ts";
import type { Step } from "./table.ts";

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

export interface Senders {
	readonly named: NamedSenders;
	readonly programs: readonly SenderProgram[];
}

/** What packets meet, whoever sends them; its own groups are for senders that no rule names, and for what nobody sends. */
export interface SendersProgram extends InterfaceProgram {
	/** What rules name of senders, with a program for each kind; absent where they name none. */
	readonly senders?: Senders;
}

/** The same for remote addresses of IPv6 that match some suffixes, and no others that rules name. */
export interface SuffixProgram extends SendersProgram {
	readonly kind: SuffixKind;
}

export interface Suffixes {
	readonly named: readonly Suffix[];
	/** Larger kinds first. */
	readonly programs: readonly SuffixProgram[];
}

/**
 * One group for each interface match that a rule names, one for all other interfaces, and one for each member of a VRF
 * whose packets a rule of the VRF's name may mean.
 */
export function groups(
	all: readonly Atom[],
	vrfOf: ReadonlyMap<string, string>,
): SendersProgram & { readonly vrfOf: ReadonlyMap<string, string>; readonly suffixes?: Suffixes } {
	const matches = new Map<string, InterfaceMatch | null>();
	for (const atom of onePerRun(all)) matches.set(interfaceKey(atom.interface), atom.interface);
	const anySender = all.every(({ sender }) => sender === undefined);
	const named = suffixesNamed(all);
	const kinds = named.length === 0 ? [] : suffixKinds(named, mostSuffixKinds);
	if (kinds === null) throw new RangeError("checkSuffixes was not asked");
	const alone = anySender && kinds.length === 0 && [...matches.keys()].every((key) => key === "");
	const build4 = familyBuilder(all, 4, alone, []);
	const build6 = familyBuilder(all, 6, alone, named);
	const of = (sender: SenderKey, suffixes: SuffixKind) =>
		byInterface(matches, vrfOf, (...within) => ({
			4: build4({ within, sender, suffixes: [] }),
			6: build6({ within, sender, suffixes }),
		}));
	const senders = namedSenders(all.map(({ sender }) => sender));
	const met = (kind: SuffixKind): SendersProgram => {
		if (anySender) return of(noSender, kind);
		const programs = senderCombinations(senders).map((sender) => ({ sender, ...of(sender, kind) }));
		return { ...of(noSender, kind), senders: { named: senders, programs } };
	};
	if (kinds.length === 0) return { ...met([]), vrfOf };
	const programs = kinds.map((kind) => ({ kind, ...met(kind) }));
	return { ...met([]), vrfOf, suffixes: { named, programs } };
}

function byInterface(
	matches: ReadonlyMap<string, InterfaceMatch | null>,
	vrfOf: ReadonlyMap<string, string>,
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

/** Of neighbours that are for the same packets, as those of one list, the first. */
function onePerRun(atoms: readonly Atom[]): readonly Atom[] {
	return atoms.filter((atom, i) => {
		const before = atoms[i - 1];
		return (
			before === undefined ||
			before.interface !== atom.interface ||
			before.sender !== atom.sender ||
			before.inside !== atom.inside
		);
	});
}

/** Builds the sequence of a group; groups that the same atoms are for share one. */
function familyBuilder(
	all: readonly Atom[],
	family: Family,
	alone: boolean,
	suffixes: readonly Suffix[],
): (scope: SequenceScope) => readonly Step[] {
	const own = all.filter((atom) => atom.family === family);
	const atoms = withoutDuplicates(suffixes.length === 0 ? own : withInside(own, suffixes));
	const axis = Axis.of(atoms, family);
	const streams: readonly Stream[] = buildStreams(atoms, axis);
	const named = new Map<string, Scope>();
	for (const atom of onePerRun(atoms)) named.set(scopeKey(atom), atom);
	const limited = atoms.filter(({ layer }) => layer === "P");
	const built = new Map<string, readonly Step[]>();
	return (scope) => {
		const members = [...named].filter(([, outer]) => takesPart(scope, outer));
		const key = JSON.stringify(members.map(([name]) => name).sort());
		const known = built.get(key) ?? buildSequence(scope, limited, streams, axis, alone);
		built.set(key, known);
		return known;
	};
}
