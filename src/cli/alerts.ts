import * as v from "valibot";
import { suggest } from "../policy/suggest.ts";
import { escapeForTerminal, escapeJson } from "../report/terminal.ts";
import { ask, errorText, parseJson, type Reply } from "./client.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { parseOnlyOptions } from "./options.ts";
import { commandSettings } from "./stand-in-settings.ts";

const help = `Usage: portward alerts [--json] [--limit N] [--policy NAME] [--action ACTION]
       portward alerts --follow [--json] [--policy NAME] [--action ACTION]
       either with [--config FILE] [--status-address ADDRESS]

Prints the alerts that the daemon remembers, oldest first.

  --follow                  print new alerts as they come, until interrupted
  --json                    one JSON object a line, as the daemon wrote it
  --limit N                 the newest N only
  --policy NAME             of this policy only, such as DefaultPosture
  --action ACTION           Audit or Block only
  --config FILE             settings, of which \`status.address\` counts
  --status-address ADDRESS  IP:port or unix:/path (default 127.0.0.1:9755)
`;

const mismatch = "what answers there sent no alerts; is it portward, and of this version?";

const actions: readonly string[] = ["Allow", "Audit", "Block"];

/** Characters of one event; an alert is far smaller. */
const maxEventLength = 1024 * 1024;

const alertShape = v.looseObject({
	UpdatedTime: v.string(),
	PolicyName: v.string(),
	Action: v.string(),
	Resource: v.string(),
	Data: v.string(),
	Message: v.string(),
});

export const alerts: Command = {
	name: "alerts",
	summary: "the daemon's alerts",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, {
			follow: { type: "boolean" },
			json: { type: "boolean" },
			limit: { type: "string" },
			policy: { type: "string" },
			action: { type: "string" },
			config: { type: "string" },
			"status-address": { type: "string" },
		});
		if (values.limit !== undefined && !/^(?:[1-9]\d{0,5}|1000000)$/.test(values.limit))
			throw new UsageError("--limit is a whole number from 1 to 1000000, such as --limit 100");
		if (values.limit !== undefined && values.follow === true)
			throw new UsageError("--follow prints new alerts only; write --limit without it");
		const action = actions.find((known) => known.toLowerCase() === values.action?.toLowerCase());
		if (values.action !== undefined && action === undefined)
			throw new UsageError(
				`--action is no ${JSON.stringify(values.action)}; ${suggest(values.action, actions, "actions")}`,
			);
		const config = commandSettings(values, io);
		const filter = new URLSearchParams();
		if (values.policy !== undefined) filter.set("policy", values.policy);
		if (action !== undefined) filter.set("action", action);
		const print = printer(io, values.json === true);
		const asked = (path: string) => ask(config, values["status-address"] !== undefined, path, io.signal);
		if (!values.follow) {
			const query = new URLSearchParams(filter);
			if (values.limit !== undefined) query.set("limit", values.limit);
			return list(asked, `/v1/alerts?${query}`, print, io);
		}
		return follow(asked, `/v1/alerts/stream?${filter}`, print, io);
	},
};

function printer(io: Io, json: boolean): (alert: unknown) => void {
	return (alert) => {
		if (json) {
			io.out(`${escapeJson(JSON.stringify(alert))}\n`);
			return;
		}
		const parsed = v.safeParse(alertShape, alert);
		if (!parsed.success) return;
		const { UpdatedTime, Action, Resource, PolicyName, Data, Message } = parsed.output;
		const message = Message === "" ? "" : ` (${Message})`;
		io.out(`${escapeForTerminal(`${UpdatedTime} ${Action} ${Resource} ${PolicyName} ${Data}${message}`)}\n`);
	};
}

type Asked = (path: string) => Promise<Reply>;

async function list(asked: Asked, path: string, print: (alert: unknown) => void, io: Io): Promise<number> {
	const reply = await asked(path);
	if (!reply.ok) return fail(io, reply.message);
	const parsed = v.safeParse(
		v.object({ alerts: v.array(v.unknown()) }),
		parseJson(await reply.response.text()),
	);
	if (!parsed.success) return fail(io, mismatch);
	for (const alert of parsed.output.alerts.toReversed()) print(alert);
	return exit.ok;
}

/** Reads the server-sent events (WHATWG HTML, section 9.2) until the operator ends; that the daemon did is a failure. */
async function follow(asked: Asked, path: string, print: (alert: unknown) => void, io: Io): Promise<number> {
	const reply = await asked(path);
	if (!reply.ok) return fail(io, reply.message);
	const { body, headers } = reply.response;
	if (!body || !headers.get("content-type")?.startsWith("text/event-stream")) return fail(io, mismatch);
	let pending = "";
	try {
		for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
			const lines = (pending + chunk).split("\n");
			pending = lines.pop() ?? "";
			if (pending.length > maxEventLength) return fail(io, mismatch);
			for (const line of lines) {
				const alert = line.startsWith("data:") ? parseJson(line.slice("data:".length)) : undefined;
				if (alert !== undefined) print(alert);
			}
		}
	} catch (error) {
		if (!io.signal.aborted) return fail(io, `the stream broke: ${errorText(error)}`);
	}
	return io.signal.aborted ? exit.ok : fail(io, "the daemon ended the stream; did it stop?");
}

function fail(io: Io, message: string): number {
	io.error(`portward: ${escapeForTerminal(message)}\n`);
	return exit.failure;
}
