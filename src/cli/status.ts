import * as v from "valibot";
import { escapeForTerminal } from "../report/terminal.ts";
import { get } from "./client.ts";
import { type Command, exit } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { parseOptions } from "./options.ts";
import { readSettings } from "./settings.ts";

const statusShape = v.object({
	version: v.string(),
	hostname: v.string(),
	ready: v.object({ ready: v.boolean(), body: v.string() }),
	enforcers: v.record(v.string(), v.looseObject({ state: v.string(), reason: v.string() })),
	policies: v.array(
		v.looseObject({
			name: v.string(),
			file: v.string(),
			line: v.number(),
			selected: v.boolean(),
			enforced: v.boolean(),
			action: v.nullable(v.string()),
			packets: v.number(),
			diagnostics: v.array(v.looseObject({ severity: v.string(), message: v.string() })),
		}),
	),
	drift: v.number(),
	warnings: v.array(v.string()),
});

export const status: Command = {
	name: "status",
	summary: "what the running daemon enforces",
	help: "Usage: portward status [--json] [--config FILE] [--status-address ADDRESS]\n\nAsks the running daemon. --json prints its /v1/status document.\n",
	async run(args, io) {
		const { values } = parseOptions(args, {
			json: { type: "boolean" },
			config: { type: "string" },
			"status-address": { type: "string" },
		});
		const settings = readSettings(values, false);
		printDiagnostics(settings.diagnostics, io);
		if (!settings.config) return exit.failure;
		const reply = await get(settings.config.status.address, "/v1/status", io.signal);
		if (!reply.ok) {
			io.error(`portward: ${reply.message}\n`);
			return exit.failure;
		}
		const text = await reply.response.text();
		if (values.json) {
			io.out(text);
			return exit.ok;
		}
		const parsed = v.safeParse(statusShape, JSON.parse(text));
		if (!parsed.success) {
			io.error("portward: the daemon's answer is not a status document; are both of one version?\n");
			return exit.failure;
		}
		io.out(describe(parsed.output));
		return exit.ok;
	},
};

function describe(document: v.InferOutput<typeof statusShape>): string {
	const lines = [`portward ${document.version} on ${document.hostname}: ${document.ready.body}`];
	for (const [name, { state, reason }] of Object.entries(document.enforcers)) {
		lines.push(`${name}: ${state}${reason === "" ? "" : ` (${reason})`}`);
	}
	if (document.drift > 0) lines.push(`changes by others that were undone: ${document.drift}`);
	for (const warning of document.warnings) lines.push(`warning: ${warning}`);
	for (const policy of document.policies) {
		const state = policy.enforced ? "enforced" : policy.selected ? "not enforced" : "not for this host";
		const name = policy.name === "" ? "(no name)" : policy.name;
		lines.push(
			`${name}: ${state}, ${policy.action ?? "no action"}, ${policy.packets} packets (${policy.file}:${policy.line})`,
		);
		for (const { severity, message } of policy.diagnostics) lines.push(`    ${severity}: ${message}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
