/** Where two sets of policies differ for addresses that suffixes name, in boxes beside those for all others. */

import { parseCidr } from "../../../../base/cidr.ts";
import type { Direction, Family } from "../../../../base/model.ts";
import { formatSuffix, type Suffix } from "../../../../base/suffix.ts";
import { atKind, type DirectionProgram, type NetworkModel } from "../program.ts";
import {
	firstOfKind,
	kindKey,
	mostSuffixKinds,
	noSuffix,
	type SuffixKind,
	suffixKinds,
} from "../suffixes.ts";
import { nothing, unchanged } from "./sender-boxes.ts";
import type { VerdictBox } from "./verdict-box.ts";

/** Addresses that match the suffixes of a kind, and none of the others that programs name. */
export interface AddressKind {
	readonly kind: SuffixKind;
	readonly named: readonly Suffix[];
}

/** Where no suffix is named. */
export const everyAddress: AddressKind = { kind: noSuffix, named: [] };

/** The kinds of addresses that some programs tell apart: that of no suffix first, then smaller ones before larger ones. */
export function kindsOf(programs: readonly DirectionProgram[], family: Family): readonly AddressKind[] {
	const told = programs.flatMap(({ suffixes }) => suffixes ?? []);
	const [first] = told;
	if (first === undefined || family === 4) return [everyAddress];
	const own = told.flatMap(({ named, programs }) => programs.map(({ kind }) => ({ kind, named })));
	const none = { kind: noSuffix, named: first.named };
	if (told.length === 1) return [none, ...own.toReversed()];
	const all = new Map(told.flatMap(({ named }) => named).map((suffix) => [formatSuffix(suffix), suffix]));
	const named = [...all.values()];
	// Each set of policies has no more; together two may have, and then each is asked about its own.
	const kinds = suffixKinds(named, 2 * mostSuffixKinds);
	if (kinds !== null)
		return [{ kind: noSuffix, named }, ...kinds.toReversed().map((kind) => ({ kind, named }))];
	const once = new Map(own.map((address) => [kindKey(address.kind), address]));
	return [none, ...[...once.values()].sort((a, b) => a.kind.length - b.kind.length)];
}

const neither: NetworkModel = { ingress: nothing, egress: nothing };

type Diff = (before: NetworkModel, after: NetworkModel) => readonly VerdictBox[];

/** The boxes of addresses that no suffix names, and of each kind that fares otherwise. */
export function suffixBoxes(before: NetworkModel, after: NetworkModel, diff: Diff): VerdictBox[] {
	const at = (model: NetworkModel, kinds: Readonly<Record<Direction, SuffixKind>>): NetworkModel => ({
		ingress: atKind(model.ingress, kinds.ingress),
		egress: atKind(model.egress, kinds.egress),
	});
	const none = { ingress: [], egress: [] };
	const everybody = diff(at(before, none), at(after, none));
	const told = (["ingress", "egress"] as const).map((direction) => {
		const programs = [before[direction], after[direction]];
		const base = everybody.filter((box) => box.direction === direction);
		const addresses = kindsOf(programs, 6);
		if (addresses.length === 1) return { base, own: [] };
		const alone = (kind: SuffixKind) => {
			const [was = nothing, is = nothing] = programs.map((program) => atKind(program, kind));
			const of = (program: DirectionProgram) => ({ ...neither, [direction]: program });
			return { boxes: diff(of(was), of(is)), is };
		};
		// What the other direction names cuts the boxes of this one, so it is left out where kinds are compared.
		const plain = JSON.stringify(alone(noSuffix).boxes);
		const own: VerdictBox[] = [];
		const alike: AddressKind[] = [];
		for (const address of addresses) {
			const { kind } = address;
			const { boxes, is } = kind.length === 0 ? { boxes: base, is: nothing } : alone(kind);
			if (kind.length === 0 || JSON.stringify(boxes) === plain) alike.push(address);
			else {
				const found = within(boxes, [address]);
				const shown = found.length > 0 ? found : unchanged(ofIpv6(base), is);
				own.push(...shown.map((box) => ({ ...box, suffixes: kind.map(formatSuffix) })));
			}
		}
		return { base: within(base, alike), own };
	});
	return [...told.flatMap(({ base }) => base), ...told.flatMap(({ own }) => own)];
}

/** The first box about IPv6, without its other blocks. */
function ofIpv6(boxes: readonly VerdictBox[]): VerdictBox | undefined {
	const [found] = boxes.flatMap((box) => {
		const addresses = box.addresses.filter((block) => block.includes(":"));
		return addresses.length === 0 ? [] : [{ ...box, addresses }];
	});
	return found;
}

/**
 * The boxes with those of their blocks that have an address of one of the kinds. Where one has none and nobody else names
 * what it names, such as an interface, it says of no change.
 */
function within(boxes: readonly VerdictBox[], kinds: readonly AddressKind[]): VerdictBox[] {
	const left = boxes.map((box) => ({
		...box,
		addresses: box.addresses.filter((text) => meets(text, kinds)),
	}));
	const named = new Set(left.filter(({ addresses }) => addresses.length > 0).map(nameOf));
	return left.flatMap((box, i) => {
		if (box.addresses.length > 0) return [box];
		const addresses = boxes[i]?.addresses ?? [];
		return named.has(nameOf(box)) ? [] : [{ ...box, addresses, after: box.before }];
	});
}

function nameOf({
	interface: name,
	protocol,
	user,
	group,
	service,
	sourcePorts,
	icmpTypes,
}: VerdictBox): string {
	return JSON.stringify([name, protocol, user, group, service, sourcePorts, icmpTypes]);
}

/** Whether a block has an address of one of the kinds. */
function meets(block: string, kinds: readonly AddressKind[]): boolean {
	const parsed = parseCidr(block);
	if (!parsed.ok || parsed.cidr.family === 4) return kinds.some(({ kind }) => kind.length === 0);
	const { base, prefix } = parsed.cidr;
	const region = { first: base, last: base + (1n << BigInt(128 - prefix)) - 1n };
	return kinds.some(({ kind, named }) => named.length === 0 || firstOfKind(region, kind, named) !== null);
}
