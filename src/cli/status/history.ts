/** `portward history`: what changed in the policies, and when. */

import * as v from "valibot";
import type { Generation } from "../../base/generation.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { generationShape } from "../../engine/generations/saved.ts";
import {
	confirmationLine,
	generationLines,
	generationTitle,
} from "../../report/generations/generation-text.ts";
import { generationsPath } from "../../report/generations/generations-page.ts";
import { type Command, exit } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask, parseJson } from "./client.ts";

const help = `Usage: portward history [--json] [--config FILE] [--status-address ADDRESS]

Asks the running daemon what changed with each set of policies that came into
force: files, rules, and the new connections whose verdict changed; who
confirmed it, or that it was rolled back. Newest last; the last 50 are kept.

  --json                    print the daemon's /v1/history document
  --config FILE             settings (default /etc/portward/config.yaml)
  --status-address ADDRESS  IP:port or unix:/path (default: root asks on
                            status.sock in stateDir, others at status.address)
`;

const mismatch = "what answers there sent no history; is it portward, and of this version?";

const answerShape = v.object({ generations: v.array(generationShape) });

export const history: Command = {
	name: "history",
	summary: "what changed with each set of policies",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, {
			json: { type: "boolean" },
			config: { type: "string" },
			"status-address": { type: "string" },
		});
		const config = commandSettings(values, io);
		const fail = (message: string) => {
			io.error(`portward: ${escapeForTerminal(message)}\n`);
			return exit.failure;
		};
		const named = values["status-address"] !== undefined;
		const reply = await ask(config, named, generationsPath, io.signal);
		if (!reply.ok) return fail(reply.message);
		const parsed = v.safeParse(answerShape, parseJson(await reply.response.text()));
		if (!parsed.success) return fail(mismatch);
		io.out(values.json ? prettyJson(parsed.output) : historyText(parsed.output.generations));
		return exit.ok;
	},
};

/** @param generations newest first */
export function historyText(generations: readonly Generation[]): string {
	if (generations.length === 0) return "the policies did not change yet\n";
	const lines = generations.toReversed().flatMap((generation) => {
		const { time, confirmation, rollbackOf } = generation;
		const said = confirmationLine(confirmation, rollbackOf);
		return [
			`${time}  ${generationTitle(generation)}`,
			...(said === "" ? [] : [`  ${said}`]),
			...generationLines(generation).flatMap(({ heading, lines }) => [
				`  ${heading}`,
				...lines.map((line) => `    ${line}`),
			]),
		];
	});
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
