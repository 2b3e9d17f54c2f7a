import * as v from "valibot";
import { escapeForTerminal } from "../report/terminal.ts";
import { get } from "./client.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { parseOptions } from "./options.ts";
import { readSettings } from "./settings.ts";

const help = `Usage: portward alerts [--follow] [--json] [--limit N] [--policy NAME] [--action Allow|Audit|Block]
                       [--config FILE] [--status-address ADDRESS]

Prints the daemon's alerts, oldest first; --follow goes on with new ones.
--json prints each alert as the daemon wrote it, one JSON object a line.
`;

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
		const { values } = parseOptions(args, {
			follow: { type: "boolean" },
			json: { type: "boolean" },
			limit: { type: "string" },
			policy: { type: "string" },
			action: { type: "string" },
			config: { type: "string" },
			"status-address": { type: "string" },
		});
		if (values.limit !== undefined && !/^[1-9]\d{0,6}$/.test(values.limit))
			throw new UsageError("--limit is a whole number from 1");
		const settings = readSettings(values, false);
		printDiagnostics(settings.diagnostics, io);
		if (!settings.config) return exit.failure;
		const filter = new URLSearchParams();
		if (values.policy !== undefined) filter.set("policy", values.policy);
		if (values.action !== undefined) filter.set("action", values.action);
		const print = printer(io, values.json === true);
		const address = settings.config.status.address;
		if (!values.follow) {
			const query = new URLSearchParams(filter);
			if (values.limit !== undefined) query.set("limit", values.limit);
			return list(address, `/v1/alerts?${query}`, print, io);
		}
		return follow(address, `/v1/alerts/stream?${filter}`, print, io);
	},
};

function printer(io: Io, json: boolean): (alert: unknown) => void {
	return (alert) => {
		if (json) {
			io.out(`${JSON.stringify(alert)}\n`);
			return;
		}
		const parsed = v.safeParse(alertShape, alert);
		if (!parsed.success) return;
		const { UpdatedTime, Action, Resource, PolicyName, Data, Message } = parsed.output;
		const message = Message === "" ? "" : ` (${Message})`;
		io.out(`${escapeForTerminal(`${UpdatedTime} ${Action} ${Resource} ${PolicyName} ${Data}${message}`)}\n`);
	};
}

async function list(address: string, path: string, print: (alert: unknown) => void, io: Io): Promise<number> {
	const reply = await get(address, path, io.signal);
	if (!reply.ok) {
		io.error(`portward: ${reply.message}\n`);
		return exit.failure;
	}
	const parsed = v.safeParse(v.object({ alerts: v.array(v.unknown()) }), await reply.response.json());
	if (!parsed.success) {
		io.error("portward: the daemon's answer is not a list of alerts; are both of one version?\n");
		return exit.failure;
	}
	for (const alert of parsed.output.alerts.toReversed()) print(alert);
	return exit.ok;
}

/** Reads the server-sent events (WHATWG HTML, section 9.2) until the daemon or the operator ends. */
async function follow(
	address: string,
	path: string,
	print: (alert: unknown) => void,
	io: Io,
): Promise<number> {
	const reply = await get(address, path, io.signal);
	if (!reply.ok || !reply.response.body) {
		io.error(`portward: ${reply.ok ? "the daemon sent no stream" : reply.message}\n`);
		return exit.failure;
	}
	let pending = "";
	try {
		for await (const chunk of reply.response.body.pipeThrough(new TextDecoderStream())) {
			const lines = (pending + chunk).split("\n");
			pending = lines.pop() ?? "";
			for (const line of lines) if (line.startsWith("data:")) print(JSON.parse(line.slice("data:".length)));
		}
	} catch (error) {
		if (!io.signal.aborted) {
			io.error(`portward: the stream broke: ${error instanceof Error ? error.message : String(error)}\n`);
			return exit.failure;
		}
	}
	return exit.ok;
}
