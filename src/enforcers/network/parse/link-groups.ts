/** Puts the members of groups into the rules that name these, as if each were written out. */

import { containsCidr, formatCidr } from "../../../base/cidr.ts";
import type { Diagnostic } from "../../../base/diagnostic.ts";
import { digest } from "../../../base/digest.ts";
import { type Cidr, type Direction, directions } from "../../../base/model.ts";
import { nearest } from "../../../base/suggest.ts";
import type { BlockList, GroupMembers, GroupUse, IpBlock, NetworkPolicy, NetworkRule } from "../model.ts";
import { nobody } from "./peers.ts";

const none: readonly Cidr[] = [];

/** Groups by their names: null stands for one that cannot be used, which is told where it is. */
export type KnownGroups = ReadonlyMap<string, GroupMembers | null>;

/** Names that a hint has, and that a name is compared with: a set may have thousands. */
const namedGroups = 20;
const comparedNames = 1000;

/**
 * Who is in a group. What `except` holds whole is no member; what it holds in part is a hole, which precedence ignores as
 * it does in an ipBlock.
 * @param list what its file holds; null where it has none
 */
export function membersOf(group: GroupMembers["group"], list: BlockList | null): GroupMembers {
	const { name, place, cidrs, except } = group;
	const holesIn = holesOf(except);
	const blocks: IpBlock[] = [];
	const add = (cidr: Cidr, at: IpBlock["place"]) => {
		const holes = holesIn(cidr);
		if (holes !== null) blocks.push({ cidr, except: holes, place: at });
	};
	for (const written of cidrs) add(written.cidr, written.place);
	for (const cidr of list?.blocks ?? none) add(cidr, place);
	const written = [...cidrs.map(({ cidr }) => formatCidr(cidr)), "except", ...except.map(formatCidr)];
	return { name, digest: digest("group", name, ...written, list?.sha256 ?? ""), blocks, group, list };
}

/** Says which of the exceptions lie in a block; null where the block lies in one of them. */
function holesOf(except: readonly Cidr[]): (cidr: Cidr) => readonly Cidr[] | null {
	if (except.length === 0) return () => none;
	// Blocks nest or are apart: in rising order, what lies in a block follows its first address.
	const sorted = except.toSorted((a, b) => compare(a, b) || a.prefix - b.prefix);
	const lengths = [4, 6].map((family) => [
		...new Set(except.filter((one) => one.family === family).map(({ prefix }) => prefix)),
	]);
	const known = new Set(except.map(keyOf));
	return (cidr) => {
		const { family, base, prefix } = cidr;
		const bits = family === 4 ? 32 : 128;
		for (const length of lengths[family === 4 ? 0 : 1] ?? []) {
			if (length > prefix) continue;
			const host = BigInt(bits - length);
			if (known.has(keyOf({ family, base: (base >> host) << host, prefix: length }))) return null;
		}
		let from = 0;
		for (let to = sorted.length; from < to; ) {
			const middle = (from + to) >> 1;
			const one = sorted[middle];
			if (one !== undefined && compare(one, cidr) < 0) from = middle + 1;
			else to = middle;
		}
		const holes: Cidr[] = [];
		for (let at = from; at < sorted.length; at++) {
			const one = sorted[at];
			if (one === undefined || !containsCidr(cidr, one)) break;
			holes.push(one);
		}
		return holes.length === 0 ? none : holes;
	};
}

function keyOf({ family, base, prefix }: Cidr): string {
	return `${family} ${base} ${prefix}`;
}

function compare(a: Cidr, b: Cidr): number {
	return a.family - b.family || (a.base < b.base ? -1 : Number(a.base > b.base));
}

/** Names of the groups that a policy's rules name; none for most. */
export function groupsNamed(policy: NetworkPolicy): readonly string[] {
	return directions.flatMap((direction) =>
		policy[direction].flatMap(({ groups }) => groups?.uses.map(({ name }) => name) ?? []),
	);
}

/** The groups that are in the rules of a linked policy. */
export function membersIn(policy: NetworkPolicy): readonly GroupMembers[] {
	const all = directions.flatMap((direction) =>
		policy[direction].flatMap(({ groups }) => groups?.uses.flatMap(({ members }) => members ?? []) ?? []),
	);
	return [...new Set(all)];
}

/** The code of what is said of a group without members. */
export const emptyGroup = "empty-group";

/** Whether the rules of a policy have these groups already. */
export function isLinked(policy: NetworkPolicy, known: KnownGroups): boolean {
	return directions.every((direction) =>
		policy[direction].every(
			({ groups }) =>
				groups?.uses.every(({ name, members }) => members !== null && members === known.get(name)) ?? true,
		),
	);
}

export interface Linked {
	readonly policy: NetworkPolicy;
	/** Where a group is not known, or must not be empty; then the policy must not be used. */
	readonly diagnostics: readonly Diagnostic[];
}

/** The policy with the members of its groups in its rules. */
export function linkGroups(policy: NetworkPolicy, known: KnownGroups): Linked {
	const diagnostics: Diagnostic[] = [];
	const link = (direction: Direction) =>
		policy[direction].map((rule) => (rule.groups === undefined ? rule : linkRule(rule, known, diagnostics)));
	return { policy: { ...policy, ingress: link("ingress"), egress: link("egress") }, diagnostics };
}

function linkRule(rule: NetworkRule, known: KnownGroups, diagnostics: Diagnostic[]): NetworkRule {
	const { own = [], uses = [] } = rule.groups ?? {};
	const found = uses.map((use): GroupUse => {
		const members = known.get(use.name) ?? null;
		const problem = problemOf(use, members, rule, known);
		if (problem !== null) diagnostics.push(problem);
		return { ...use, members };
	});
	const peers = [...own];
	const taken = new Set<GroupMembers>();
	for (const { members } of found) {
		if (members === null || taken.has(members)) continue;
		taken.add(members);
		for (const block of members.blocks) peers.push(block);
	}
	// None would be anybody.
	if (peers.length === 0) peers.push(nobody(rule.place));
	return { ...rule, peers, groups: { own, uses: found } };
}

function meant(name: string, names: readonly string[]): string {
	const match = nearest(name, names.slice(0, comparedNames));
	if (match !== null) return `did you mean ${match}?`;
	if (names.length === 0) return `write a PortwardAddressGroup with metadata: {name: ${name}}`;
	const rest = names.length > namedGroups ? ", …" : "";
	return `known groups: ${names.slice(0, namedGroups).join(", ")}${rest}`;
}

function problemOf(
	{ name, place, path }: GroupUse,
	members: GroupMembers | null,
	{ action }: NetworkRule,
	known: KnownGroups,
): Diagnostic | null {
	const at = { ...place, path };
	if (members === null && known.has(name)) {
		const message = `the group ${name} cannot be used: its addresses are not known`;
		return {
			...at,
			severity: "error",
			code: "unusable-group",
			message,
			hint: "see what is wrong with the group",
		};
	}
	if (members === null) {
		const message = `there is no group of the name ${name}`;
		return { ...at, severity: "error", code: "unknown-group", message, hint: meant(name, [...known.keys()]) };
	}
	if (members.blocks.length > 0) return null;
	return action === "Allow"
		? {
				...at,
				severity: "error",
				code: emptyGroup,
				message: `the group ${name} is empty, and an Allow that names nobody would close the direction`,
				hint: "put an address into the group, or leave the rule out",
			}
		: {
				...at,
				severity: "warning",
				code: emptyGroup,
				message: `the group ${name} is empty, so this entry matches nothing`,
				hint: "put an address into the group, or leave the entry out",
			};
}
