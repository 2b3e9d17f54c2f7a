import * as v from "valibot";
import { suggest } from "../../base/suggest.ts";
import { escapeForTerminal, escapeJson } from "../../base/terminal.ts";
import { readableTime } from "../../report/alert.ts";
import { alertSentence } from "../../report/alert-sentence.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { explainCommand } from "./alert-command.ts";
import { alertHistory, joinAlerts } from "./alert-history.ts";
import { ask, errorText, parseJson, type Reply } from "./client.ts";

const help = `Usage: portward alerts [--json] [--limit N] [--policy NAME] [--action ACTION]
       portward alerts --follow [--json] [--policy NAME] [--action ACTION]
       either with [--config FILE] [--status-address ADDRESS]

Prints the alerts that the daemon remembers, and those of before from its
alerts.file, oldest first, each as a sentence with the command that explains
it.

  --follow                  print new alerts as they come, until interrupted
  --json                    all fields: one JSON object a line, as it was
                            written
  --limit N                 the newest N only
  --policy NAME             of this policy only, such as DefaultPosture
  --action ACTION           Allow (of USB devices), Audit or Block only
  --config FILE             settings (default /etc/portward/config.yaml)
  --status-address ADDRESS  IP:port or unix:/path (default: root asks on
                            status.sock in stateDir, others at status.address)
`;

const mismatch = "what answers there sent no alerts; is it portward, and of this version?";

const actions: readonly string[] = ["Allow", "Audit", "Block"];

/** Alerts that are printed where no limit is given; the daemon's own default. */
const defaultLimit = 1000;

/** Characters of one event; an alert is far smaller. */
const maxEventLength = 1024 * 1024;

const alertShape = v.looseObject({
	UpdatedTime: v.string(),
	PolicyName: v.string(),
	Action: v.string(),
	Result: v.optional(v.string()),
	Resource: v.string(),
	Message: v.string(),
	Operation: v.optional(v.string()),
	EventData: v.optional(v.record(v.string(), v.string())),
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
			action: { type: "string", offer: actions },
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
		const named = values["status-address"] !== undefined;
		if (values.follow) {
			const path = `/v1/alerts/stream?${filter}`;
			return follow(() => ask(config, named, path, io.signal, { endless: true }), print, io);
		}
		const query = new URLSearchParams(filter);
		if (values.limit !== undefined) query.set("limit", values.limit);
		const limit = Number(values.limit ?? defaultLimit);
		// Whoever names an address may mean another daemon than that of these settings.
		const history = named ? null : alertHistory(config.alerts, { policy: values.policy, action, limit });
		return list(
			() => ask(config, named, `/v1/alerts?${query}`, io.signal),
			{ history, limit, quiet: named },
			print,
			io,
		);
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
		const { sentence, note } = alertSentence(parsed.output);
		const line = `${readableTime(parsed.output.UpdatedTime)} ${sentence}${note === "" ? "" : ` (${note})`}`;
		io.out(`${escapeForTerminal(line)}\n`);
		const command = explainCommand(parsed.output);
		if (command !== null) io.out(`    ${escapeForTerminal(command)}\n`);
	};
}

type Asked = () => Promise<Reply>;

interface Past {
	/** Alerts in the daemon's file, oldest first; null where there is none that may be read. */
	readonly history: readonly unknown[] | null;
	readonly limit: number;
	/** Nothing is said of where older ones may be. */
	readonly quiet: boolean;
}

async function list(asked: Asked, past: Past, print: (alert: unknown) => void, io: Io): Promise<number> {
	const { history, limit, quiet } = past;
	const reply = await asked();
	if (!reply.ok) {
		if (reply.absent !== true || history === null) return fail(io, reply.message);
		io.error(`portward: ${escapeForTerminal(reply.message)}\nportward: these are the alerts in its file\n`);
		for (const alert of history) print(alert);
		return exit.ok;
	}
	const parsed = v.safeParse(
		v.object({ alerts: v.array(v.unknown()) }),
		parseJson(await reply.response.text()),
	);
	if (!parsed.success) return fail(io, mismatch);
	const remembered = parsed.output.alerts.toReversed();
	for (const alert of joinAlerts(history ?? [], remembered).slice(-limit)) print(alert);
	if (!quiet && history === null && remembered.length < limit) io.error(elsewhere);
	return exit.ok;
}

const elsewhere =
	"portward: older alerts than the daemon's start are not here: under systemd journalctl -u portward has them; where alerts.file is set, this command shows them too\n";

/** Reads the server-sent events (WHATWG HTML, section 9.2) until the operator ends; that the daemon did is a failure. */
async function follow(asked: Asked, print: (alert: unknown) => void, io: Io): Promise<number> {
	const reply = await asked();
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
