/** The options of `portward recommend`, checked. */

import type { Config } from "../../config/model.ts";
import { buildModel, ruleSets } from "../../enforcers/network/compile/program.ts";
import type { Aggregate } from "../../enforcers/network/history/recommend/blocks.ts";
import type { RecommendOptions } from "../../enforcers/network/history/recommend/model.ts";
import { UsageError } from "../command.ts";

export interface RecommendSettings {
	/** Null with `--narrow`. */
	readonly out: string | null;
	readonly update: boolean;
	readonly baseline: boolean;
	readonly json: boolean;
	options(config: Config): RecommendOptions;
}

export interface RecommendValues {
	readonly out?: string | undefined;
	readonly narrow?: boolean | undefined;
	readonly update?: boolean | undefined;
	readonly "no-baseline"?: boolean | undefined;
	readonly from?: string | undefined;
	readonly "status-address"?: string | undefined;
	readonly "min-count"?: string | undefined;
	readonly aggregate?: string | undefined;
	readonly json?: boolean | undefined;
}

/** What is seen once may be anybody's mistake. */
const usualCount = 2;

/** @throws UsageError that says what to write */
export function recommendSettings(values: RecommendValues): RecommendSettings {
	const { out = null, narrow = false, update = false, from, json = false } = values;
	if (narrow === (out !== null))
		throw new UsageError("name where policies are to be written, with --out DIR; or ask with --narrow alone");
	if (narrow && update) throw new UsageError("--update goes with --out");
	const minCount = countOf(values["min-count"], narrow);
	const aggregate = aggregateOf(values.aggregate ?? "auto");
	// What another host saw says nothing about what is known of this one.
	const own = from === undefined && values["status-address"] === undefined;
	const baseline = own && values["no-baseline"] !== true;
	const options = (config: Config): RecommendOptions => ({
		minCount,
		aggregate,
		model: failsafeModel(config),
		essentials: config.essentials,
	});
	return { out, update, baseline, json, options };
}

function failsafeModel({ failsafe, allowlistScope, guests }: Config): RecommendOptions["model"] {
	return buildModel(ruleSets([]), {
		posture: "block",
		allowlistScope,
		failsafe,
		...(guests.forwarded === "off"
			? {}
			: { guests: { forwarded: guests.forwarded, interfaces: guests.interfaces, uplinks: guests.uplinks } }),
	});
}

/** A rule that is in force let it in, so that once is enough there. */
function countOf(text: string | undefined, narrow: boolean): number {
	if (text === undefined) return narrow ? 1 : usualCount;
	if (/^[1-9]\d{0,8}$/u.test(text)) return Number(text);
	throw new UsageError("--min-count is a whole number from 1 on");
}

function aggregateOf(text: string): Aggregate {
	if (text === "auto" || text === "none") return text;
	const [, four, six = "64"] = /^\/(\d{1,2})(?:,\/(\d{1,3}))?$/u.exec(text) ?? [];
	const sizes = { 4: Number(four), 6: Number(six) };
	if (four !== undefined && sizes[4] >= 8 && sizes[4] <= 32 && sizes[6] >= 16 && sizes[6] <= 128)
		return sizes;
	throw new UsageError(
		"--aggregate is auto, none, or a size such as /24 (8 to 32) or /24,/56 (IPv6: 16 to 128)",
	);
}
