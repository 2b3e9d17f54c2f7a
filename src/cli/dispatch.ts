/** From the words after `portward` to a command and its exit code. */

import { suggest } from "../base/suggest.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { helpText } from "./help.ts";

const helpFlags: readonly string[] = ["--help", "-h"];
const versionFlags: readonly string[] = ["--version", "-V"];

/** Runs the command that `args` names. Wrong usage is told on stderr with the command's help. */
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
	try {
		return await command.run(rest, io);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		io.error(`portward ${command.name}: ${escapeForTerminal(error.message)}\n\n${command.help}`);
		return exit.usage;
	}
}
