import * as v from "valibot";
import { escapeForTerminal } from "../../base/terminal.ts";
import { panicReason } from "../../daemon/panic-watch.ts";
import { readPanic } from "../../state/panic.ts";
import { type Command, exit } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask } from "./client.ts";
import { describeStatus, statusShape } from "./status-text.ts";
import { wholeStatus } from "./whole-status.ts";

const help = `Usage: portward status [--json] [--config FILE] [--status-address ADDRESS]

Asks the running daemon what it enforces, and what became of each policy.

  --json                    print the daemon's /v1/status document, with all
                            policies in it
  --config FILE             settings (default /etc/portward/config.yaml)
  --status-address ADDRESS  IP:port or unix:/path (default: root asks on
                            status.sock in stateDir, others at status.address)
`;

const mismatch = "what answers there sent no status document; is it portward, and of this version?";

export const status: Command = {
	name: "status",
	summary: "what the running daemon enforces",
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
		const reply = await wholeStatus((path) => ask(config, named, path, io.signal));
		if (!reply.ok) {
			const read = readPanic(config.stateDir);
			if (read.open) {
				const since = new Date(read.record.since).toISOString();
				io.error(`OPEN: ${escapeForTerminal(panicReason({ since, reason: read.record.reason }))}\n`);
			}
			return fail(reply.message);
		}
		const parsed = v.safeParse(statusShape, reply.document);
		if (!parsed.success) return fail(mismatch);
		io.out(values.json ? prettyJson(reply.document) : describeStatus(parsed.output));
		return exit.ok;
	},
};
