/** From the words after `portward` to a command and its exit code. */

import { suggest } from "../base/suggest.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { helpText } from "./help.ts";
import { asksJson, Outcome } from "./outcome.ts";

const helpFlags: readonly string[] = ["--help", "-h"];
const versionFlags: readonly string[] = ["--version", "-V"];

/** Runs the command that `args` names. Wrong usage is told on stderr with how the command is used. */
export async function dispatch(
	commands: readonly Command[],
	args: readonly string[],
	io: Io,
): Promise<number> {
	const [name, ...rest] = args;
	if (name === undefined) {
		io.error(helpText(commands));
		return exit.usage;
	}
	const find = (wanted: string) => commands.find((command) => command.name === wanted);
	const unknown = (wanted: string): number => {
		const names = ["help", ...commands.map((command) => command.name)];
		const shown = escapeForTerminal(JSON.stringify(wanted));
		io.error(`portward: there is no command ${shown}; ${suggest(wanted, names, "commands")}\n`);
		return exit.usage;
	};
	if (name === "help" || helpFlags.includes(name)) {
		const [topic] = rest;
		const command = topic === undefined ? undefined : find(topic);
		if (topic !== undefined && command === undefined && topic !== "help") return unknown(topic);
		io.out(command?.help ?? helpText(commands));
		return exit.ok;
	}
	const command = find(versionFlags.includes(name) ? "version" : name);
	if (command === undefined) return unknown(name);
	const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
	if (options.some((option) => helpFlags.includes(option))) {
		io.out(command.help);
		return exit.ok;
	}
	if (!asksJson(rest)) return perform(command, rest, io, io);
	const outcome = new Outcome(io);
	const code = await perform(command, rest, outcome, io);
	// Whoever asked for JSON reads in JSON also why there is none.
	if (code !== exit.ok && !outcome.answered) outcome.print(code);
	return code;
}

/** @param plain where the usage goes, which is no part of an answer. The whole help would push the reason off the screen. */
async function perform(command: Command, args: readonly string[], io: Io, plain: Io): Promise<number> {
	try {
		return await command.run(args, io);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		io.error(`portward ${command.name}: ${escapeForTerminal(error.message)}\n`);
		const [usage] = command.help.split("\n\n", 1);
		plain.error(`\n${usage}\n\nportward help ${command.name} tells more.\n`);
		return exit.usage;
	}
}
