/** From a ruleset with an order to one policy without: what all sources of packet filters have in common. */

import type { Direction, Family } from "../base/model.ts";
import type { Conversion, Finding, RuleData } from "./finding.ts";
import { rulesOfPieces } from "./network-rules.ts";
import { withoutOrder } from "./order-free.ts";
import { flatten, type OrderedRule, type Ruleset } from "./ordered.ts";
import { everything, holds, shared } from "./packets.ts";
import type { Reading } from "./reading.ts";

/** What a conversion is held against: the source's own list. */
export interface OrderedConversion extends Conversion {
	readonly ordered: Readonly<Record<Direction, readonly OrderedRule[]>>;
}

const directions = ["ingress", "egress"] as const;

const packetAlgebra = { holds, shared };

/** Text of the source that is quoted in a comment. */
const longestQuote = 160;

/**
 * One policy, for every host where the source does not say for which.
 *
 * @throws TooInvolved
 */
export function assemble(
	name: string,
	ruleset: Reading,
	labels: Readonly<Record<string, string>> = { "kubernetes.io/hostname": "*" },
): OrderedConversion {
	const all: Finding[] = [...ruleset.findings];
	const comments: string[] = [...all.map(commentOf), ...ruleset.comments];
	const spec: { ingress?: readonly RuleData[]; egress?: readonly RuleData[] } = {};
	const ordered: Record<Direction, readonly OrderedRule[]> = { ingress: [], egress: [] };
	for (const direction of directions) {
		const stated = flatten(ruleset, direction);
		const { list, finding } = completed(ruleset, direction, stated);
		if (finding !== null) {
			all.push(finding);
			comments.push(commentOf(finding));
		}
		ordered[direction] = list;
		const { pieces, hidden, needless } = withoutOrder(list, packetAlgebra);
		const rules = rulesOfPieces(pieces, direction);
		for (const [i, { origin }] of rules.entries()) comments.push(`${direction}[${i}] is ${sourceOf(origin)}`);
		for (const { rule, by } of hidden)
			comments.push(`never reached, behind ${nameOf(by)}: ${sourceOf(rule)}`);
		for (const rule of needless) comments.push(`holds without a rule: ${sourceOf(rule)}`);
		if (rules.length > 0) spec[direction] = rules.map(({ data }) => data);
	}
	if (spec.ingress === undefined && spec.egress === undefined)
		return { policies: [], findings: all, ordered };
	const document = {
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name },
		spec: { nodeSelector: { matchLabels: labels }, severity: 5, action: "Block", ...spec },
	} as const;
	return { policies: [{ comments, document }], findings: all, ordered };
}

/** The list with a verdict for the packets of every family; one that the source is silent about is as the other. */
function completed(
	{ entrances }: Ruleset,
	direction: Direction,
	list: readonly OrderedRule[],
): { readonly list: readonly OrderedRule[]; readonly finding: Finding | null } {
	const own = entrances[direction];
	const [first] = own;
	if (first === undefined) return { list: [], finding: null };
	const has = (family: Family) =>
		own.some(({ packets }) => packets.some(({ cidr }) => cidr.family === family));
	const missing = ([4, 6] as const).filter((family) => !has(family));
	if (missing.length === 0) return { list, finding: null };
	const { place } = first;
	const accepts = own.every((entrance) => entrance.accepts);
	const text = `IPv${missing.join()} is not in the source`;
	const rest = everything(missing).map((set) => ({ set, accepts, place, text }));
	const message = `${direction}: ${text}; what no rule says of it is ${accepts ? "accepted" : "refused"}, as for the other family`;
	return { list: [...list, ...rest], finding: { ...place, kind: "changed", message } };
}

function commentOf({ kind, line, message }: Finding): string {
	return `${kind === "lost" ? "no counterpart" : "note"}: line ${line}: ${message}`;
}

function nameOf({ place }: OrderedRule): string {
	return `line ${place.line}`;
}

function sourceOf(rule: OrderedRule): string {
	const { text } = rule;
	const short = text.length > longestQuote ? `${text.slice(0, longestQuote)} …` : text;
	return `${nameOf(rule)}: ${short}`;
}
