/** Rules of the expressions that most rules of a plan have, read from their text and written as the kernel's messages. */

import { type Expression, encodeExpression } from "./direct-expressions.ts";
import { MatchReader } from "./direct-matches.ts";
import { senderForm, senderLookup } from "./direct-senders.ts";
import type { BatchWriter } from "./direct-writer.ts";
import type { Rule } from "./objects.ts";

export interface RuleContent {
	readonly expressions: readonly Expression[];
	readonly comment: string | null;
}

/** linux/netfilter.h, and enum nft_verdicts of linux/netfilter/nf_tables.h */
export const verdictCodes = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;

/** Stands in a rule's text where the name of a chain, a set or a map belongs. */
const reference = "\0";

const part = new RegExp(
	[
		'counter name "(?<counter>\\w+)"',
		'quota name "(?<quota>\\w+)"',
		"limit rate (?<rate>\\d{1,9})/second burst (?<burst>\\d{1,9}) packets",
		'log prefix "(?<prefix>[ !#-\\[\\]-~]{1,127})" group (?<group>\\d{1,5}) snaplen (?<snap>\\d{1,9}) queue-threshold (?<queue>\\d{1,5})',
		'(?<verdict>drop|accept|return)(?: comment "(?<comment>[ !#-\\[\\]-~]{1,127})")?',
		`(?<lead>goto|jump) ${reference}`,
		senderForm,
	]
		.map((form) => `(?:${form})`)
		.join("|"),
	"y",
);

/** The text of a rule with the names taken out, and the names; null where they cannot be told apart. */
function divided(rule: Rule): { readonly text: string; readonly names: readonly string[] } | null {
	const parts = typeof rule === "string" ? [rule] : rule;
	const names: string[] = [];
	let text = "";
	for (const [i, piece] of parts.entries()) {
		if (piece.includes(reference)) return null;
		if (i % 2 === 1) names.push(piece);
		text += i % 2 === 1 ? reference : piece;
	}
	return { text, names };
}

/** Null where a rule has other expressions. */
export function readRule(rule: Rule): RuleContent | null {
	const of = divided(rule);
	if (of === null) return null;
	const { text } = of;
	const names = of.names.values();
	const expressions: Expression[] = [];
	const matches = new MatchReader(text, names, expressions);
	let comment: string | null = null;
	for (let at = 0; ; ) {
		part.lastIndex = at;
		const found = part.exec(text)?.groups;
		let last = false;
		if (found === undefined) {
			const end = matches.read(at);
			if (end === null) return null;
			at = end;
		} else {
			at = part.lastIndex;
			const read = expressionsOf(found, names);
			if (read === null) return null;
			expressions.push(...read);
			const { comment: said } = found;
			comment = said ?? null;
			last = read.some(({ is }) => is === "verdict");
		}
		if (at === text.length) return names.next().done === true ? { expressions, comment } : null;
		// What a verdict has behind it is its comment alone.
		if (text[at] !== " " || last) return null;
		at += 1;
	}
}

function expressionsOf(
	found: Readonly<Record<string, string | undefined>>,
	names: Iterator<string>,
): readonly Expression[] | null {
	const { owner, level } = found;
	if (owner !== undefined || level !== undefined) {
		const set: string | undefined = names.next().value;
		return set === undefined ? null : senderLookup(found, set);
	}
	const expression = expressionOf(found, names);
	return expression && [expression];
}

function expressionOf(
	found: Readonly<Record<string, string | undefined>>,
	names: Iterator<string>,
): Expression | null {
	const { counter, quota, rate, burst, prefix, group, snap, queue, verdict, lead } = found;
	if (counter !== undefined) return { is: "counter", name: counter };
	if (quota !== undefined) return { is: "quota", name: quota };
	if (rate !== undefined) return { is: "limit", rate: Number(rate), burst: Number(burst) };
	if (prefix !== undefined) {
		const numbers = { group: Number(group), snapLength: Number(snap), queueThreshold: Number(queue) };
		return numbers.group > 0xffff || numbers.queueThreshold > 0xffff
			? null
			: { is: "log", prefix, ...numbers };
	}
	if (lead !== undefined) {
		const chain: string | undefined = names.next().value;
		const code = lead === "goto" ? verdictCodes.goto : verdictCodes.jump;
		return chain === undefined ? null : { is: "verdict", code, chain };
	}
	const code = verdict === "drop" ? "drop" : verdict === "return" ? "return" : "accept";
	return { is: "verdict", code: verdictCodes[code], chain: null };
}

/** linux/netfilter/nf_tables.h */
const RULE_EXPRESSIONS = 4;
const RULE_USERDATA = 7;

/** libnftnl's NFTNL_UDATA_RULE_COMMENT. */
const COMMENT = 0;

/** The sets of a rule's own, which have to be written before it. */
export function ownSets({ expressions }: RuleContent): (Expression & { readonly is: "any-of" })[] {
	return expressions.filter((expression) => expression.is === "any-of");
}

/** The attributes of a rule behind its table and chain. @param set the number in the batch of the first set of its own */
export function encodeRule(writer: BatchWriter, { expressions, comment }: RuleContent, set: number): void {
	const list = writer.open(RULE_EXPRESSIONS);
	let next = set;
	for (const expression of expressions) {
		encodeExpression(writer, expression, next);
		if (expression.is === "any-of") next += 1;
	}
	writer.close(list);
	if (comment !== null) writer.text(RULE_USERDATA, comment, [COMMENT, comment.length + 1]);
}
