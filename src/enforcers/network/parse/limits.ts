/** `rateLimit`, `connectionLimit` and `exceedAction` of a rule. */

import { isScalar, type Node } from "yaml";
import type { Action } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { quote, suggest } from "../../../base/suggest.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import { refillSeconds, unitSeconds } from "../limit-words.ts";
import type { ConnectionLimit, RateLimit, RuleLimits } from "../model.ts";

export const rateLimitFields = ["connections", "burst", "per", "prefix6"] as const;
export const connectionLimitFields = ["max", "per", "prefix6"] as const;

export const pers = ["source", "rule"] as const;
export const exceedActions = ["Block", "Audit"] as const;
export const rateUnits = ["second", "minute", "hour", "day"] as const;

export const mostConnections = 1_000_000;
export const mostBurst = 10_000;
/** What each new connection costs grows with the open ones of its source. */
export const mostOpen = 1000;

/** As nftables has it. */
const defaultBurst = 5;
/** What one customer usually has. */
const defaultPrefix6 = 64;
/** Seconds for which a source may have to be remembered. */
const longestRefill = 30 * unitSeconds.day;

const rateExample = "write {connections: 10/minute}";
const openExample = "write {max: 20}";

/** What a rule says of limits; absent where it says nothing, or where something is wrong, which is reported. */
export function readLimits(reader: NodeReader, fields: Fields, action: Action): { limits?: RuleLimits } {
	const rateNode = presentWithValue(reader, fields, "rateLimit", rateExample);
	const openNode = presentWithValue(reader, fields, "connectionLimit", openExample);
	const exceedNode = reader.present(fields, "exceedAction");
	const exceedAction = exceedNode && readWord(reader, exceedNode, exceedActions, "exceedAction");
	const first = rateNode ?? openNode;
	if (first === null) {
		if (exceedNode !== null && !fields.has("rateLimit") && !fields.has("connectionLimit"))
			reader.error(
				exceedNode.node,
				exceedNode.path,
				"no-limit",
				"exceedAction says what becomes of packets beyond a limit, and the rule has none",
				"add rateLimit or connectionLimit, or leave exceedAction out",
			);
		return {};
	}
	// Beside a quota that is said otherwise.
	if (action === "Block" && !fields.has("limit")) {
		const message = "the rule blocks all that it matches, so there is nothing to limit";
		const hint = "write action: Allow or Audit in the rule: what is beyond the limit is blocked";
		reader.error(first.node, first.path, "limit-of-block", message, hint);
	}
	const rate = rateNode && readRate(reader, rateNode);
	const connections = openNode && readConnections(reader, openNode);
	if (rate === null && connections === null) return {};
	return {
		limits: {
			...(rate === null ? {} : { rate }),
			...(connections === null ? {} : { connections }),
			exceedAction: exceedAction ?? "Block",
		},
	};
}

interface At {
	readonly node: Node;
	readonly path: Path;
}

function readRate(reader: NodeReader, { node, path }: At): RateLimit | null {
	const fields = mapped(reader, { node, path }, rateExample) && reader.fields(node, path, rateLimitFields);
	if (!fields) return null;
	const rateNode = needed(reader, fields, { node, path }, "connections", rateExample);
	if (rateNode === null) return null;
	const rate = readCount(reader, rateNode);
	const burstNode = reader.present(fields, "burst");
	const burst = burstNode ? reader.integer(burstNode.node, burstNode.path, 1, mostBurst) : defaultBurst;
	const counted = readCounted(reader, fields);
	if (rate === null || burst === null || counted === null) return null;
	const limit: RateLimit = { ...rate, burst, ...counted };
	if (refillSeconds(limit) > longestRefill) {
		const most = Math.floor((longestRefill * rate.connections) / unitSeconds[rate.unit]);
		reader.error(
			burstNode?.node ?? rateNode.node,
			burstNode?.path ?? rateNode.path,
			"burst-too-large",
			`a burst of ${burst} at ${rate.connections}/${rate.unit} takes more than 30 days to fill again`,
			`write a burst of at most ${most}, or a higher rate`,
		);
		return null;
	}
	return limit;
}

const rateForm = /^([1-9]\d{0,6})\/(second|minute|hour|day)$/;

function readCount(reader: NodeReader, { node, path }: At): Pick<RateLimit, "connections" | "unit"> | null {
	// Without a unit it is a number, which quotes would make no rate.
	const bare = isScalar(node) && typeof node.value === "number";
	const text = bare ? (node.source ?? String(node.value)) : reader.text(node, path);
	if (text === null) return null;
	const [, count, word] = rateForm.exec(text) ?? [];
	const unit = rateUnits.find((one) => one === word);
	if (count !== undefined && unit !== undefined && Number(count) <= mostConnections)
		return { connections: Number(count), unit };
	const message = `${quote(text)} is not a rate: a number from 1 to ${mostConnections}, a slash and second, minute, hour or day`;
	reader.error(node, path, "bad-rate", message, "write such as 10/minute");
	return null;
}

function readConnections(reader: NodeReader, { node, path }: At): ConnectionLimit | null {
	const fields =
		mapped(reader, { node, path }, openExample) && reader.fields(node, path, connectionLimitFields);
	if (!fields) return null;
	const maxNode = needed(reader, fields, { node, path }, "max", openExample);
	if (maxNode === null) return null;
	const max = reader.integer(maxNode.node, maxNode.path, 1, mostOpen);
	const counted = readCounted(reader, fields);
	return max === null || counted === null ? null : { max, ...counted };
}

function readCounted(reader: NodeReader, fields: Fields): Pick<RateLimit, "per" | "prefix6"> | null {
	const perNode = reader.present(fields, "per");
	const per = perNode ? readWord(reader, perNode, pers, "per") : "source";
	const prefixNode = reader.present(fields, "prefix6");
	const prefix6 = prefixNode ? reader.integer(prefixNode.node, prefixNode.path, 1, 128) : defaultPrefix6;
	if (prefixNode !== null && per === "rule") {
		const message = "prefix6 says which IPv6 sources are one, and per: rule counts all sources together";
		reader.warn(prefixNode.node, prefixNode.path, "no-effect", message, "leave prefix6 out");
	}
	if (per === null || prefix6 === null) return null;
	return { per, prefix6: per === "rule" ? 128 : prefix6 };
}

function readWord<Word extends string>(
	reader: NodeReader,
	{ node, path }: At,
	known: readonly Word[],
	name: string,
): Word | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const found = known.find((word) => word.toLowerCase() === text.toLowerCase());
	if (found === undefined)
		reader.error(
			node,
			path,
			`bad-${name.toLowerCase()}`,
			`${quote(text)} is not a value of ${name}`,
			suggest(text, known, "values"),
		);
	return found ?? null;
}

/** The value alone is what many write first. */
function mapped(reader: NodeReader, { node, path }: At, hint: string): boolean {
	if (!isScalar(node)) return true;
	reader.error(node, path, "wrong-type", `expected fields, found ${quote(String(node.value))}`, hint);
	return false;
}

/** What is written without a value would be no limit at all. */
function presentWithValue(reader: NodeReader, fields: Fields, name: string, hint: string): At | null {
	return reader.present(fields, name, ({ key, path }) => {
		reader.error(key, path, "empty-field", `${name} is written without a value`, hint);
	});
}

function needed(
	reader: NodeReader,
	fields: Fields,
	{ node, path }: At,
	name: string,
	hint: string,
): At | null {
	if (fields.has(name)) return presentWithValue(reader, fields, name, hint);
	reader.error(node, path, "missing-field", `${name} is missing`, hint);
	return null;
}
