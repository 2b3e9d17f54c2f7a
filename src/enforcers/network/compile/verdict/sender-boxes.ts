/** Where two sets of policies differ for senders that rules name, in boxes beside those for everybody else. */

import { parseCidr } from "../../../../base/cidr.ts";
import { parseProtocol } from "../../../../base/protocol.ts";
import { type DirectionProgram, decideByPolicies, type NetworkModel, seenBy } from "../program.ts";
import { namedSenders, type SenderKey, senderCombinations, senderKinds, senderMatches } from "../sender.ts";
import type { BoxSender, VerdictBox } from "./verdict-box.ts";

/** Kinds of senders that are compared: each costs what comparing the whole sets does. */
const mostCompared = 256;

/** Every kind of senders that rules name, the broader before those that they hold. */
function senderKindsOf(programs: readonly DirectionProgram[]): readonly SenderKey[] {
	const named = programs.flatMap(({ senders }) => senders?.programs.map(({ sender }) => sender) ?? []);
	const all = namedSenders(named);
	const kinds = senderKinds(all) > mostCompared ? named.slice(0, mostCompared) : senderCombinations(all);
	return kinds.toSorted((a, b) => depthOf(a) - depthOf(b));
}

/** How many of the three it names. */
export function depthOf({ user, group, service }: SenderKey): number {
	return Number(user !== null) + Number(group !== null) + Number(service !== null);
}

export const nothing: DirectionProgram = {
	rules: [],
	atoms: [],
	literals: [],
	prefixes: [],
	others: { 4: [], 6: [] },
	members: [],
	vrfOf: new Map(),
	allowlistMode: false,
	failsafe: [],
	posture: null,
};

/**
 * The boxes of senders that fare otherwise than what is told of all others.
 * @param everybody the boxes of senders that no rule names
 * @param diff finds the boxes of two models
 */
export function senderBoxes(
	before: NetworkModel,
	after: NetworkModel,
	everybody: readonly VerdictBox[],
	diff: (before: NetworkModel, after: NetworkModel) => readonly VerdictBox[],
): VerdictBox[] {
	const base = everybody.filter(({ direction }) => direction === "egress");
	const told: { readonly sender: SenderKey | null; readonly boxes: readonly VerdictBox[] }[] = [
		{ sender: null, boxes: base },
	];
	const found: VerdictBox[] = [];
	for (const sender of senderKindsOf([before.egress, after.egress])) {
		const [was, is] = [seenBy(before.egress, sender), seenBy(after.egress, sender)];
		const boxes = diff({ ingress: nothing, egress: was }, { ingress: nothing, egress: is });
		const text = JSON.stringify(boxes);
		const holding = told.filter((one) => one.sender === null || senderMatches(one.sender, sender));
		const nearest = Math.max(...holding.map((one) => (one.sender === null ? 0 : depthOf(one.sender))));
		const outer = holding.filter((one) => (one.sender === null ? 0 : depthOf(one.sender)) === nearest);
		if (outer.every((one) => JSON.stringify(one.boxes) === text)) continue;
		told.push({ sender, boxes });
		const shown = boxes.length > 0 ? boxes : unchanged(outer.flatMap((one) => one.boxes)[0], is);
		found.push(...shown.map((box) => ({ ...box, ...asBox(sender) })));
	}
	return found;
}

/** A box of no change, where others of these packets fare otherwise. */
export function unchanged(box: VerdictBox | undefined, program: DirectionProgram): VerdictBox[] {
	const parsed = parseCidr(box?.addresses[0] ?? "");
	if (box === undefined || !parsed.ok) return [];
	const { action } = decideByPolicies(program, {
		direction: "egress",
		family: parsed.cidr.family,
		address: parsed.cidr.base,
		interface: box.interface?.replace(/\*$/, "") ?? "",
		protocol: box.protocol === "any" ? null : parseProtocol(box.protocol),
		port: box.ports?.[0] ?? 0,
		source: (box.sourcePorts ?? box.icmpTypes)?.[0] ?? null,
	});
	return [{ ...box, before: action, after: action }];
}

function asBox({ user, group, service }: SenderKey): BoxSender {
	return {
		...(user === null ? {} : { user }),
		...(group === null ? {} : { group }),
		...(service === null ? {} : { service }),
	};
}
