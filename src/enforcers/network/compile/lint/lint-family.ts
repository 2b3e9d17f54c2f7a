/** Blocks of one whole address family that leave the other one open. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { Direction, Family, Protocol } from "../../../../base/model.ts";
import { protocolFits } from "../../../../base/protocol.ts";
import { type Address, type Atom, byRank } from "../atom.ts";
import { inOrder } from "../interval.ts";
import { type DirectionProgram, decideByPolicies } from "../program.ts";
import { warning } from "./lint-warning.ts";

/** An address of the internet for each family, of which no policy is likely to say anything. */
const somebody: Readonly<Record<Family, bigint>> = { 4: 0x2d435923n, 6: 0x2a0d5e47c3910b6f0000000000000457n };

const anyBlock: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

/** A warning for each rule that blocks all addresses of one family, exceptions aside, while the other's pass. */
export function lintFamilies(program: DirectionProgram, direction: Direction): Diagnostic[] {
	const blocking = program.atoms.filter(
		// Blocks were named, and the protocol is one that both families have.
		({ rule, suffix, length, protocol }) =>
			rule.action === "Block" && suffix === undefined && length >= 0 && inBoth(protocol),
	);
	return [...byRank(blocking)].flatMap(([rank, atoms]) => {
		const rule = program.rules[rank];
		const family = atoms[0]?.family ?? 4;
		const other = family === 4 ? 6 : 4;
		if (rule === undefined || atoms.some((atom) => atom.family !== family) || !isWhole(atoms)) return [];
		if (!atoms.some((atom) => isOpen(program, direction, other, atom))) return [];
		const holes = atoms.some((atom) => atom.holes.length > 0);
		const list = direction === "ingress" ? "from" : "to";
		const but = holes ? ", but for its exceptions," : "";
		return warning(
			rule,
			`ipv${family}-only-block`,
			`the rule blocks all of IPv${family}${but} and nothing of IPv${other}: IPv${other} stays open`,
			holes
				? `add - ipBlock: {cidr: "${anyBlock[other]}"} to ${list}, with except for what may pass`
				: `leave ${list} out to block both families, or add - ipBlock: {cidr: "${anyBlock[other]}"}`,
		);
	});
}

/** Whether packets of either family can have the protocol. */
function inBoth(protocol: Protocol | null): boolean {
	return protocolFits(protocol, 4) && protocolFits(protocol, 6);
}

/** Whether the blocks together are the whole family, holes ignored. */
function isWhole(atoms: readonly Atom[]): boolean {
	let next: Address = atoms[0]?.family === 6 ? 0n : 0;
	for (const { first, last } of inOrder(atoms, (a, b) =>
		a.first < b.first ? -1 : Number(a.first > b.first),
	)) {
		if (first > next) return false;
		if (last >= next) next = typeof last === "bigint" ? last + 1n : last + 1;
	}
	return next === (atoms[0]?.family === 6 ? 2n ** 128n : 2 ** 32);
}

/** Whether what the atom blocks passes in another family. */
function isOpen(program: DirectionProgram, direction: Direction, family: Family, atom: Atom): boolean {
	const { interface: match, protocol, range, source } = atom;
	const verdict = decideByPolicies(program, {
		direction,
		family,
		address: somebody[family],
		interface: match === null ? "" : match.prefix ? `${match.name}~` : match.name,
		protocol,
		port: range?.first ?? 1,
		source: source?.first ?? null,
	});
	return verdict.action !== "Block";
}
