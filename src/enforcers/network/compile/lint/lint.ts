/** Warnings about what a set of policies, each valid by itself, means together. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { Direction } from "../../../../base/model.ts";
import { type Atom, byRank, withoutHoles } from "../atom.ts";
import { failsafeCovers } from "../failsafe.ts";
import type { CompiledRule } from "../plan.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import { lintAllowlist } from "./lint-allowlist.ts";
import { lintFamilies } from "./lint-family.ts";
import { warning } from "./lint-warning.ts";
import { reachOf } from "./reach.ts";

function describe(rule: CompiledRule): string {
	return `${rule.action} ${rule.direction}[${rule.index}] of policy ${JSON.stringify(rule.policy)}`;
}

/** Whether the holes leave nothing of the atom's block. */
function isHollow(atom: Atom): boolean {
	return atom.holes.length > 0 && withoutHoles(atom).length === 0;
}

/** Loopback is accepted before any policy is asked. */
function isLoopback(atom: Atom): boolean {
	const match = atom.interface;
	return match !== null && !match.prefix && match.name === "lo";
}

function cannotMatch(program: DirectionProgram): { dead: Set<number>; diagnostics: Diagnostic[] } {
	const ofRank = byRank(program.atoms);
	const dead = new Set<number>();
	const diagnostics: Diagnostic[] = [];
	for (const [rank, rule] of program.rules.entries()) {
		if (rule.forNobody) {
			// Said of the name that is not known, where the host is known.
			dead.add(rank);
			continue;
		}
		const atoms = ofRank.get(rank) ?? [];
		const hollow = atoms.every(isHollow);
		if (!hollow && !atoms.every(isLoopback)) continue;
		dead.add(rank);
		const [what, hint] =
			atoms.length === 0
				? ["no packet of its addresses' family has its protocol", "write ICMP for IPv4 and ICMPv6 for IPv6"]
				: hollow
					? ["its except blocks leave no address", "remove the except blocks, or the rule"]
					: ["it is for the loopback interface only, whose packets are always accepted", "remove the rule"];
		diagnostics.push(...warning(rule, "rule-cannot-match", `the rule can never match: ${what}`, hint));
	}
	return { dead, diagnostics };
}

function shadowed(program: DirectionProgram, dead: ReadonlySet<number>): Diagnostic[] {
	const { reached, instead } = reachOf(program);
	return program.rules.flatMap((rule, rank) => {
		if (reached.has(rank) || dead.has(rank)) return [];
		const other = program.rules[instead.get(rank) ?? -1];
		const by = other === undefined ? "more specific or stricter rules" : `such as ${describe(other)}`;
		return warning(
			rule,
			"rule-shadowed",
			`the rule never decides a packet: other rules decide everything that it matches, ${by}`,
			"remove the rule, or make it more specific than what shadows it",
		);
	});
}

/** The first rule of each policy whose IPv4 Allows turn on an allowlist that no IPv6 packet can pass. */
function ipv4Only(program: DirectionProgram, direction: Direction): Diagnostic[] {
	if (program.posture?.action !== "Block") return [];
	if (program.atoms.some((atom) => atom.family === 6 && atom.rule.action !== "Block")) return [];
	const seen = new Set<string>();
	return program.rules.flatMap((rule) => {
		if (rule.action !== "Allow" || seen.has(rule.policy)) return [];
		seen.add(rule.policy);
		return warning(
			rule,
			"ipv4-only-allow",
			`the rule allows IPv4 addresses only, and with it ${direction} drops all that no rule allows: all of IPv6`,
			"add the IPv6 blocks that may pass (::/0 for all of them), or set hostDefaultNetworkPosture to audit",
		);
	});
}

/** Blocks of which a failsafe rule accepts a part, or all, that would be blocked. */
function overruled(program: DirectionProgram, direction: Direction): Diagnostic[] {
	if (program.failsafe.length === 0) return [];
	const cells = new Map<number, { all: number; covered: number; by: number }>();
	for (const atom of program.atoms) {
		if (atom.rule.action !== "Block") continue;
		const cell = cells.get(atom.rank) ?? { all: 0, covered: 0, by: 0 };
		cells.set(atom.rank, cell);
		cell.all += 1;
		const by = program.failsafe.findIndex(({ match }) => failsafeCovers(match, atom));
		if (by < 0) continue;
		if (cell.covered === 0) cell.by = by;
		cell.covered += 1;
	}
	return program.rules.flatMap((rule, rank) => {
		const { all, covered, by } = cells.get(rank) ?? { all: 0, covered: 0, by: 0 };
		if (covered === 0) return [];
		const what = covered === all ? "everything" : "a part of what";
		return warning(
			rule,
			"failsafe-overrules",
			`failsafe.${direction}[${by}] of the settings accepts ${what} ${covered === all ? "that " : ""}the rule blocks`,
			"narrow the failsafe rule, or remove the Block",
		);
	});
}

/** Warnings with the places of the rules that they are about. */
export function lintModel(model: NetworkModel): Diagnostic[] {
	return (["ingress", "egress"] as const).flatMap((direction) => {
		const program = model[direction];
		const { dead, diagnostics } = cannotMatch(program);
		return [
			...diagnostics,
			...shadowed(program, dead),
			...ipv4Only(program, direction),
			...lintFamilies(program, direction),
			...lintAllowlist(model, direction),
			...overruled(program, direction),
		];
	});
}
