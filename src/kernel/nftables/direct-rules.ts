/** Rules of a few plain expressions as the kernel's own messages have them: those that every rule of a policy has. */

import type { BatchWriter } from "./direct-writer.ts";
import type { Rule } from "./objects.ts";

type Expression =
	| { readonly is: "counter"; readonly name: string }
	| { readonly is: "limit"; readonly rate: number; readonly burst: number }
	| {
			readonly is: "log";
			readonly prefix: string;
			readonly group: number;
			readonly snapLength: number;
			readonly queueThreshold: number;
	  }
	| { readonly is: "verdict"; readonly code: number; readonly chain: string | null };

export interface RuleContent {
	readonly expressions: readonly Expression[];
	readonly comment: string | null;
}

/** linux/netfilter.h, and enum nft_verdicts of linux/netfilter/nf_tables.h */
const codes = { drop: 0, accept: 1, jump: -3, goto: -4 } as const;

const part = new RegExp(
	[
		'counter name "(?<counter>\\w+)"',
		"limit rate (?<rate>\\d{1,9})/second burst (?<burst>\\d{1,9}) packets",
		'log prefix "(?<prefix>[ !#-\\[\\]-~]{1,127})" group (?<group>\\d{1,5}) snaplen (?<snap>\\d{1,9}) queue-threshold (?<queue>\\d{1,5})',
		'(?<verdict>drop|accept)(?: comment "(?<comment>[ !#-\\[\\]-~]{1,127})")?',
	]
		.map((form) => `(?:${form})`)
		.join("|"),
	"y",
);

/** Null where a rule has other expressions. */
export function readRule(rule: Rule): RuleContent | null {
	if (typeof rule !== "string") {
		const [verb, chain, ...more] = rule;
		if (chain === undefined || more.length > 0 || (verb !== "goto " && verb !== "jump ")) return null;
		const code = verb === "goto " ? codes.goto : codes.jump;
		return { expressions: [{ is: "verdict", code, chain }], comment: null };
	}
	const expressions: Expression[] = [];
	let comment: string | null = null;
	for (let at = 0; ; ) {
		part.lastIndex = at;
		const found = part.exec(rule)?.groups;
		if (found === undefined) return null;
		const { comment: said, verdict } = found;
		at = part.lastIndex;
		const expression = expressionOf(found);
		if (expression === null) return null;
		expressions.push(expression);
		comment = said ?? null;
		if (at === rule.length) return { expressions, comment };
		// What a verdict has behind it is its comment alone.
		if (rule[at] !== " " || verdict !== undefined) return null;
		at += 1;
	}
}

function expressionOf(found: Readonly<Record<string, string | undefined>>): Expression | null {
	const { counter, rate, burst, prefix, group, snap, queue, verdict } = found;
	if (counter !== undefined) return { is: "counter", name: counter };
	if (rate !== undefined) return { is: "limit", rate: Number(rate), burst: Number(burst) };
	if (prefix !== undefined) {
		const numbers = { group: Number(group), snapLength: Number(snap), queueThreshold: Number(queue) };
		return numbers.group > 0xffff || numbers.queueThreshold > 0xffff
			? null
			: { is: "log", prefix, ...numbers };
	}
	return { is: "verdict", code: verdict === "drop" ? codes.drop : codes.accept, chain: null };
}

/** linux/netfilter/nf_tables.h */
const RULE_EXPRESSIONS = 4;
const RULE_USERDATA = 7;
const LIST_ELEM = 1;
const EXPR_NAME = 1;
const EXPR_DATA = 2;
const OBJREF_TYPE = 1;
const OBJREF_NAME = 2;
const OBJECT_COUNTER = 1;
const LIMIT_RATE = 1;
const LIMIT_UNIT = 2;
const LIMIT_BURST = 3;
const LIMIT_TYPE = 4;
const LIMIT_FLAGS = 5;
const LOG_GROUP = 1;
const LOG_PREFIX = 2;
const LOG_SNAPLEN = 3;
const LOG_QTHRESHOLD = 4;
const IMMEDIATE_DREG = 1;
const IMMEDIATE_DATA = 2;
const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;

/** libnftnl's NFTNL_UDATA_RULE_COMMENT. */
const COMMENT = 0;

const names = { counter: "objref", limit: "limit", log: "log", verdict: "immediate" } as const;

/** The attributes of a rule behind its table and chain. */
export function encodeRule(writer: BatchWriter, { expressions, comment }: RuleContent): void {
	writer.nest(RULE_EXPRESSIONS, () => {
		for (const expression of expressions) {
			writer.nest(LIST_ELEM, () => {
				writer.text(EXPR_NAME, names[expression.is]);
				writer.nest(EXPR_DATA, () => encodeData(writer, expression));
			});
		}
	});
	if (comment !== null) writer.text(RULE_USERDATA, comment, [COMMENT, comment.length + 1]);
}

function encodeData(writer: BatchWriter, expression: Expression): void {
	switch (expression.is) {
		case "counter":
			writer.u32(OBJREF_TYPE, OBJECT_COUNTER);
			writer.text(OBJREF_NAME, expression.name);
			return;
		case "limit":
			writer.u64(LIMIT_RATE, expression.rate);
			writer.u64(LIMIT_UNIT, 1);
			writer.u32(LIMIT_BURST, expression.burst);
			writer.u32(LIMIT_TYPE, 0);
			writer.u32(LIMIT_FLAGS, 0);
			return;
		case "log":
			writer.u16(LOG_GROUP, expression.group);
			writer.text(LOG_PREFIX, expression.prefix);
			writer.u32(LOG_SNAPLEN, expression.snapLength);
			writer.u16(LOG_QTHRESHOLD, expression.queueThreshold);
			return;
		case "verdict":
			writer.u32(IMMEDIATE_DREG, 0);
			writer.nest(IMMEDIATE_DATA, () => {
				writer.nest(DATA_VERDICT, () => {
					writer.u32(VERDICT_CODE, expression.code);
					if (expression.chain !== null) writer.text(VERDICT_CHAIN, expression.chain);
				});
			});
	}
}
