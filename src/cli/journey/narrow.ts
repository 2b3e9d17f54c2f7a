/** `portward recommend --narrow`: rules in force that allow more than was seen, each with a narrower form. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { type BroadRule, broadRules } from "../../enforcers/network/history/recommend/narrow.ts";
import { ruleText } from "../../enforcers/network/history/recommend/policy-text.ts";
import type { SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import { compileSet, wholeModel } from "../../engine/policy-model.ts";
import { exit, type Io } from "../command.ts";
import { plural, printDiagnostics } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import type { RecommendSettings } from "./recommend-options.ts";
import { timeText } from "./simulate-text.ts";

export function narrowRules(
	{ flows, since }: SeenHistory,
	wish: RecommendSettings,
	config: Config,
	io: Io,
): number {
	const read = compileSet(config.policyDir, config);
	const model = wholeModel(read);
	printDiagnostics(read.errors, io);
	if (model === null) return exit.failure;
	const broad = broadRules(networkPart.of(read.set.selected), model, flows, wish.options(config));
	if (wish.json) {
		io.out(prettyJson({ rules: broad.map(ruleJson) }));
		return exit.ok;
	}
	if (broad.length === 0) io.out("No rule allows more than what was seen.\n");
	for (const rule of broad)
		io.out(
			linesOf(rule, since)
				.map((line) => `${line}\n`)
				.join(""),
		);
	return exit.ok;
}

function yamlOf({ narrower }: BroadRule): string | null {
	return narrower.length === 0
		? null
		: narrower.map(({ service, rule }) => ruleText(service, rule, "Allow")).join("");
}

function ruleJson(broad: BroadRule) {
	const { rule, flows, count, leftOut } = broad;
	const { policy, direction, index, place } = rule;
	const at = { file: place?.file ?? null, line: place?.line ?? null };
	return {
		policy,
		direction,
		index,
		...at,
		flows,
		count,
		unused: flows === 0,
		leftOut,
		narrower: yamlOf(broad),
	};
}

function linesOf(broad: BroadRule, since: number): string[] {
	const { rule, flows, count, leftOut } = broad;
	const { policy, direction, index, place } = rule;
	const name = `${policy} ${direction}[${index}]${place === null ? "" : ` (${place.file}:${place.line})`}`;
	const yaml = yamlOf(broad);
	if (flows === 0) return [escapeForTerminal(`${name}: nothing came through it since ${timeText(since)}`)];
	const came = `${name}: ${plural(flows, "flow")} came through it, ${plural(count, "time")}`;
	const out = leftOut === 0 ? "" : `; ${leftOut} of them would stay out, as recommend --out tells`;
	if (yaml === null) return [escapeForTerminal(`${came}${out}`)];
	return [
		`${came}, and it allows more${out}. Enough would be:`,
		...yaml
			.trimEnd()
			.split("\n")
			.map((line) => `  ${line}`),
	].map(escapeForTerminal);
}
