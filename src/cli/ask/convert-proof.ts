/** Holds converted policies against the ordered rules that they come from: for which packets do the two differ? */

import type { OrderedConversion } from "../../convert/assemble.ts";
import type { Conversion } from "../../convert/finding.ts";
import { policyText } from "../../convert/text.ts";
import { buildModel, ruleSets } from "../../enforcers/network/compile/program.ts";
import { firstMatchModel } from "../../enforcers/network/compile/verdict/first-match.ts";
import type { VerdictBox } from "../../enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../../enforcers/network/compile/verdict/verdict-diff.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import { parsePolicyFile } from "../../engine/parse.ts";
import { boxesText } from "./diff.ts";

/** Longer lists take longer than anybody waits. */
const longestList = 2000;

export interface Proof {
	/** The source and the policies say the same about every packet. */
	readonly equal: boolean;
	/** Those for which they do not: `before` is what the source says. */
	readonly boxes: readonly VerdictBox[];
	/** Why they could not be compared, or null. */
	readonly reason: string | null;
}

/** All conversions that have an order, each for itself; null where none has. */
export function proveOrder(conversions: readonly (Conversion | OrderedConversion)[]): Proof | null {
	const proofs = conversions.flatMap((one) => ("ordered" in one ? compareWithSource(one) : []));
	if (proofs.length === 0) return null;
	return {
		equal: proofs.every(({ equal }) => equal),
		boxes: proofs.flatMap(({ boxes }) => boxes),
		reason: proofs.find(({ reason }) => reason !== null)?.reason ?? null,
	};
}

/** The text of the policies is what is compared, read as a host reads it. */
export function compareWithSource({ policies, ordered }: OrderedConversion): Proof {
	const failed = (reason: string): Proof => ({ equal: false, boxes: [], reason });
	const rules = ordered.ingress.length + ordered.egress.length;
	if (rules > longestList)
		return failed(`${rules} conditions are too many to compare (at most ${longestList})`);
	const read = policies.flatMap((policy) => parsePolicyFile("converted", policyText(policy)).documents);
	const problem = read.flatMap(({ diagnostics }) => diagnostics).find(({ severity }) => severity === "error");
	if (problem !== undefined) return failed(`the policies are not valid: ${problem.path}: ${problem.message}`);
	const own = networkPart.in(read);
	const list = (direction: "ingress" | "egress") =>
		ordered[direction].map(({ set, accepts }) => ({ ...set, accepts }));
	const source = firstMatchModel({ ingress: list("ingress"), egress: list("egress") });
	const converted = buildModel(ruleSets(own), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	});
	const boxes = diffVerdicts(source, converted);
	return { equal: boxes.length === 0, boxes, reason: null };
}

/** What a person is told of it. */
export function describeProof(proof: Proof | null): readonly string[] {
	if (proof === null) return [];
	if (proof.equal)
		return ["proved: for every packet the policies say what the first matching rule that was converted says"];
	if (proof.reason !== null) return [`not proved: ${proof.reason}`];
	return [
		"the source → the policies differ for these packets:",
		...boxesText(proof.boxes).trimEnd().split("\n"),
	];
}
