/** Which entry of `from` or `to` a packet met: a block of the rule, or a member of a group and where that stands. */

import { dirname, isAbsolute, join } from "node:path";
import { formatCidr } from "../../base/cidr.ts";
import { lineOfBlock, listLimits } from "../../base/cidr-list.ts";
import type { Cidr } from "../../base/model.ts";
import { formatSuffix } from "../../base/suffix.ts";
import type { Atom } from "../../enforcers/network/compile/atom.ts";
import type { CompiledRule } from "../../enforcers/network/compile/plan.ts";
import type { Packet } from "../../enforcers/network/compile/program.ts";
import {
	type AddressGroup,
	blockText,
	groupPart,
	type IpBlock,
	type NetworkRule,
	networkPart,
} from "../../enforcers/network/model.ts";
import type { PolicySet } from "../../engine/policy-set.ts";
import { readFeedFile } from "../../source/feed-file.ts";

export interface MetEntry {
	/** ADDRESS/PREFIX or ADDRESS/MASK. */
	readonly block: string;
	/** Null: the rule names the block itself. */
	readonly group: string | null;
	readonly file: string;
	readonly line: number;
}

/** The entries of a rule through which one of its atoms met the packet; none where the rule names no addresses. */
export type EntriesOf = (rule: CompiledRule, atom: Atom | undefined) => readonly MetEntry[];

type Found = Pick<MetEntry, "file" | "line">;

/** Where the block of a group stands. */
type PlaceOf = (group: string, cidr: Cidr, place: IpBlock["place"]) => Found;

export const noEntries: EntriesOf = () => [];

/** What `explain` tells about one packet. Files of groups are read once more, for the line alone. */
export function entriesIn(set: Pick<PolicySet, "policies" | "selected">, packet: Packet): EntriesOf {
	const policies = networkPart.of(set.selected);
	const groups = new Map(groupPart.all(set.policies).map((group) => [group.name, group]));
	const known = new Map<string, Found>();
	// Once for all rules that name the group, as its list may be long.
	const placeOf: PlaceOf = (name, cidr, place) => {
		const key = `${name} ${formatCidr(cidr)}`;
		const found = known.get(key) ?? placeIn(groups.get(name), cidr, place);
		known.set(key, found);
		return found;
	};
	return (rule, atom) => {
		const written = policies.find(({ name }) => name === rule.policy)?.[rule.direction];
		const found = written?.find(({ index }) => index === rule.index);
		return found === undefined || atom === undefined ? [] : entriesOf(found, atom, packet, placeOf);
	};
}

function entriesOf(
	{ peers, groups }: NetworkRule,
	atom: Atom,
	packet: Packet,
	placeOf: PlaceOf,
): readonly MetEntry[] {
	const suffix = (of: Pick<IpBlock, "suffix">) => of.suffix && formatSuffix(of.suffix);
	const met = ({ cidr, except, ...block }: IpBlock) =>
		suffix(block) === suffix(atom) &&
		cidr.family === atom.family &&
		cidr.prefix === atom.length &&
		cidr.base === BigInt(atom.first) &&
		!except.some((hole) => holds(hole, packet.address));
	const own = (groups?.own ?? peers).filter(met).map(({ place, ...block }) => ({
		...{ block: blockText(block), group: null, file: place.file, line: place.line },
	}));
	const members = (groups?.uses ?? []).flatMap(({ name, members: of }) =>
		(of?.blocks ?? []).filter(met).map(({ cidr, place }) => ({
			...{ block: formatCidr(cidr), group: name },
			...placeOf(name, cidr, place),
		})),
	);
	return [...own, ...members];
}

function holds({ family, base, prefix }: Cidr, address: bigint): boolean {
	return base <= address && address < base + (1n << BigInt((family === 4 ? 32 : 128) - prefix));
}

/** The line of the group's document or, of a block that does not stand there, of its file. */
function placeIn(group: AddressGroup | undefined, cidr: Cidr, { file, line }: IpBlock["place"]): Found {
	const text = formatCidr(cidr);
	const written = group?.cidrs.some((one) => formatCidr(one.cidr) === text) ?? true;
	if (group === undefined || group.feed === null || written) return { file, line };
	const { file: named } = group.feed;
	const path = isAbsolute(named) ? named : join(dirname(group.place.file), named);
	const read = readFeedFile(path, null, { checkPermissions: false, limit: listLimits.bytes });
	const at = read.state === "read" ? lineOfBlock(read.bytes, cidr) : null;
	return at === null ? { file, line } : { file: path, line: at };
}
