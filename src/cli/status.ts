import * as v from "valibot";
import { describeFailsafe } from "../compile/failsafe.ts";
import { panicReason } from "../daemon/panic-watch.ts";
import { describeConfinement } from "../report/confinement.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { readPanic } from "../store/panic.ts";
import { ask, parseJson } from "./client.ts";
import { type Command, exit } from "./command.ts";
import { plural } from "./diagnostics.ts";
import { prettyJson } from "./json.ts";
import { parseOnlyOptions } from "./options.ts";
import { commandSettings } from "./stand-in-settings.ts";

const failsafeShape = v.looseObject({
	direction: v.picklist(["ingress", "egress"]),
	index: v.number(),
	protocol: v.nullable(v.string()),
	icmpType: v.optional(v.nullable(v.string()), null),
	cidr: v.nullable(v.string()),
	port: v.nullable(v.string()),
	interface: v.nullable(v.string()),
	packets: v.number(),
});

const statusShape = v.object({
	version: v.string(),
	hostname: v.string(),
	panic: v.nullable(v.object({ since: v.string(), reason: v.string() })),
	signature: v.nullable(v.object({ ok: v.boolean(), serial: v.nullable(v.number()) })),
	pending: v.nullable(
		v.object({ id: v.string(), from: v.string(), secondsLeft: v.number(), waiting: v.boolean() }),
	),
	ready: v.object({ ready: v.boolean(), body: v.string() }),
	enforcers: v.record(
		v.string(),
		v.looseObject({
			state: v.string(),
			reason: v.string(),
			failsafe: v.optional(v.array(failsafeShape), []),
			invalidPackets: v.optional(v.object({ ingress: v.number(), egress: v.number() })),
		}),
	),
	policies: v.array(
		v.looseObject({
			name: v.string(),
			file: v.string(),
			line: v.number(),
			selected: v.boolean(),
			enforced: v.boolean(),
			action: v.nullable(v.string()),
			kind: v.string(),
			packets: v.number(),
			diagnostics: v.array(v.looseObject({ severity: v.string(), message: v.string() })),
		}),
	),
	drift: v.number(),
	confinement: v.object({
		systemCalls: v.object({ active: v.boolean(), detail: v.string() }),
		files: v.object({ active: v.boolean(), detail: v.string() }),
		writable: v.array(v.string()),
	}),
	warnings: v.array(v.string()),
});

const help = `Usage: portward status [--json] [--config FILE] [--status-address ADDRESS]

Asks the running daemon what it enforces, and what became of each policy.

  --json                    print the daemon's /v1/status document
  --config FILE             settings, of which \`status.address\` counts
  --status-address ADDRESS  IP:port or unix:/path (default 127.0.0.1:9755)
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
		const reply = await ask(config, values["status-address"] !== undefined, "/v1/status", io.signal);
		if (!reply.ok) {
			const read = readPanic(config.stateDir);
			if (read.open) {
				const since = new Date(read.record.since).toISOString();
				io.error(`OPEN: ${escapeForTerminal(panicReason({ since, reason: read.record.reason }))}\n`);
			}
			return fail(reply.message);
		}
		const document = parseJson(await reply.response.text());
		const parsed = v.safeParse(statusShape, document);
		if (!parsed.success) return fail(mismatch);
		io.out(values.json ? prettyJson(document) : describe(parsed.output));
		return exit.ok;
	},
};

function describe(document: v.InferOutput<typeof statusShape>): string {
	const { panic } = document;
	const lines = panic === null ? [] : [`OPEN: nothing is enforced on the network: ${panicReason(panic)}`];
	lines.push(`portward ${document.version} on ${document.hostname}: ${document.ready.body}`);
	if (document.pending !== null) {
		const { id, from, secondsLeft, waiting } = document.pending;
		const rest = waiting ? "; a change of the policy directory waits for that" : "";
		lines.push(`change ${id} (${from}) rolls back in ${secondsLeft} s unless portward confirm comes${rest}`);
	}
	const { signature } = document;
	if (signature !== null) {
		const what = signature.ok ? "signed" : "refused; in force is what was signed before";
		lines.push(`policies: ${what}${signature.serial === null ? "" : `, serial ${signature.serial}`}`);
	}
	for (const [name, { state, reason, failsafe, invalidPackets }] of Object.entries(document.enforcers)) {
		lines.push(`${name}: ${state}${reason === "" ? "" : ` (${reason})`}`);
		for (const rule of failsafe)
			lines.push(`failsafe ${describeFailsafe(rule)}: ${plural(rule.packets, "packet")}`);
		if (invalidPackets !== undefined && invalidPackets.ingress + invalidPackets.egress > 0)
			lines.push(
				`packets that belong to no flow: ${invalidPackets.ingress} ingress, ${invalidPackets.egress} egress`,
			);
	}
	lines.push(`the daemon itself ${describeConfinement(document.confinement)}`);
	if (document.drift > 0) lines.push(`changes by others that were undone: ${document.drift}`);
	for (const warning of document.warnings) lines.push(`warning: ${warning}`);
	for (const policy of document.policies) {
		const state = policy.enforced ? "enforced" : policy.selected ? "not enforced" : "not for this host";
		const name = policy.name === "" ? "(no name)" : policy.name;
		// Device policies meet no packets.
		const counted = policy.kind === "KubeArmorHostPolicy" ? "" : `, ${plural(policy.packets, "packet")}`;
		lines.push(
			`${name}: ${state}, ${policy.action ?? "no action"}${counted} (${policy.file}:${policy.line})`,
		);
		for (const { severity, message } of policy.diagnostics) lines.push(`    ${severity}: ${message}`);
	}
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}
