/** What the part of a URL behind its question mark asks for. Pure. */

import { errorReply, type Reply } from "../../report/reply.ts";

/** The parameters of a query that have a value, or what is wrong with it. One without a value is as good as absent. */
export function parseQuery<Name extends string>(
	query: string,
	known: readonly Name[],
): Partial<Record<Name, string>> | Reply {
	const values: Partial<Record<Name, string>> = {};
	const seen = new Set<string>();
	for (const [given, value] of new URLSearchParams(query)) {
		const name = known.find((each) => each === given);
		if (name === undefined) return errorReply(400, "unknown parameter", `use ${known.join(", ")}`);
		if (seen.has(name)) return errorReply(400, `${name} is given twice`, "give it once");
		seen.add(name);
		if (value !== "") values[name] = value;
	}
	return values;
}

export interface Whole {
	readonly name: string;
	readonly least: number;
	readonly most: number;
	/** What to write instead, such as `limit=100`. */
	readonly example: string;
	readonly fallback: number;
}

/** A whole number in decimal digits, or what is wrong with it. */
export function wholeNumber(value: string | undefined, { name, least, most, example, fallback }: Whole) {
	if (value === undefined) return fallback;
	const number = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
	if (number >= least && number <= most) return number;
	return errorReply(400, `${name} is not a whole number from ${least} to ${most}`, `write ${example}`);
}

export function isReply(parsed: object | number): parsed is Reply {
	return typeof parsed === "object" && "status" in parsed;
}
