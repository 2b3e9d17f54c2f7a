import { escapeForTerminal } from "../../base/terminal.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { pause } from "../journey/follow-flows.ts";
import { readHistory } from "../journey/read-history.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask } from "../status/client.ts";
import { Sampler, type TopSample } from "./sample.ts";
import { Screen, type Terminal } from "./screen.ts";
import { type Order, orders, topJson, topLines } from "./view.ts";

const help = `Usage: portward top [--interval SECONDS] [--sort ORDER]
       portward top --once [--json] [--interval SECONDS] [--sort ORDER]
       either with [--config FILE] [--status-address ADDRESS]

Shows live which rules decide how many packets, who talks to this host, what is
blocked and which USB devices come and go.

Keys: q ends it, s changes the order of the rules (rate, packets, name).

  --once                    look twice, print once, and end; needs no terminal
  --json                    the same as one JSON document; means --once
  --interval SECONDS        between two looks: 1 to 60 (default 2)
  --sort ORDER              rules by rate (default), packets or name
  --config FILE             settings (default /etc/portward/config.yaml)
  --status-address ADDRESS  IP:port or unix:/path (default: root asks on
                            status.sock in stateDir, others at status.address)
`;

/** Of what is printed without a terminal. */
const printedSize = { columns: 80, rows: 60 };

export const top: Command = {
	name: "top",
	summary: "live: rules by rate, who talks, what is blocked, USB",
	help,
	run: (args, io) => runTop(args, io, ownTerminal),
};

/** @param terminal null where there is none */
export async function runTop(
	args: readonly string[],
	io: Io,
	terminal: (io: Io) => Terminal | null,
): Promise<number> {
	const values = parseOnlyOptions(args, {
		once: { type: "boolean" },
		json: { type: "boolean" },
		interval: { type: "string" },
		sort: { type: "string", offer: orders },
		config: { type: "string" },
		"status-address": { type: "string" },
	});
	if (values.interval !== undefined && !/^(?:[1-9]|[1-5]\d|60)$/u.test(values.interval))
		throw new UsageError("--interval is a whole number of seconds from 1 to 60, such as --interval 5");
	const order = orders.find((each) => each === (values.sort ?? "rate"));
	if (order === undefined) throw new UsageError(`--sort is one of ${orders.join(", ")}`);
	const everyMs = Number(values.interval ?? 2) * 1000;
	const once = values.once === true || values.json === true;
	const shown = once ? null : terminal(io);
	if (!once && shown === null)
		throw new UsageError("top needs a terminal; write portward top --once, or --json");
	const config = commandSettings(values, io);
	const named = values["status-address"] !== undefined;
	const sampler = new Sampler({
		ask: (path) => ask(config, named, path, io.signal),
		flows: (since) => readHistory(config, { named, signal: io.signal, since }),
	});
	const fail = (message: string) => {
		io.error(`portward: ${escapeForTerminal(message)}\n`);
		return exit.failure;
	};
	const first = await sampler.take();
	if (!first.ok) return fail(first.message);
	if (shown !== null) {
		const ended = await watch(shown, sampler, { first: first.sample, order, everyMs }, io);
		return ended === null ? exit.ok : fail(ended);
	}
	await pause(everyMs, io.signal);
	const second = await sampler.take();
	if (!second.ok) return fail(second.message);
	if (values.json === true) io.out(prettyJson(topJson(first.sample, second.sample)));
	else io.out(`${topLines(first.sample, second.sample, order, printedSize).join("\n")}\n`);
	return exit.ok;
}

interface Watched {
	readonly first: TopSample;
	readonly order: Order;
	readonly everyMs: number;
}

/** Until the operator has enough, which is null, or the daemon has none: why. */
async function watch(terminal: Terminal, sampler: Sampler, watched: Watched, io: Io): Promise<string | null> {
	const enough = new AbortController();
	const end = AbortSignal.any([io.signal, enough.signal]);
	let order = watched.order;
	let before: TopSample | null = null;
	let now = watched.first;
	const draw = () => screen.draw(topLines(before, now, order, screen.size));
	const screen = new Screen(terminal, (key) => {
		// In raw mode Ctrl-C and Ctrl-D are keys.
		if (key === "q" || key === "Q" || key === "\x03" || key === "\x04") enough.abort();
		if (key !== "s") return;
		order = orders[(orders.indexOf(order) + 1) % orders.length] ?? order;
		draw();
	});
	try {
		while (!end.aborted) {
			draw();
			await pause(watched.everyMs, end);
			if (end.aborted) return null;
			const next = await sampler.take();
			if (end.aborted) return null;
			if (!next.ok) return next.message;
			before = now;
			now = next.sample;
		}
		return null;
	} finally {
		screen.close();
	}
}

/** The terminal that the command runs in; null where its output goes elsewhere. */
function ownTerminal(io: Io): Terminal | null {
	const { stdin, stdout } = process;
	if (stdout.isTTY !== true) return null;
	return {
		write: (text) => io.out(text),
		get size() {
			return { columns: stdout.columns || printedSize.columns, rows: stdout.rows || 24 };
		},
		keyboard: stdin.isTTY === true ? stdin : null,
	};
}
