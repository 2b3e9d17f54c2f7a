/** `portward usb block`: refuses the device on a port, asked of the running daemon. */

import { controlPath } from "../daemon/control-protocol.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { exit, type Io } from "./command.ts";
import { control } from "./control-client.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { parseOptions } from "./options.ts";
import { readSettings } from "./settings.ts";
import { portArgument } from "./usb-port-argument.ts";

export async function usbBlock(args: readonly string[], io: Io): Promise<number> {
	const { values, positionals } = parseOptions(args, {
		config: { type: "string" },
		"state-dir": { type: "string" },
	});
	const port = portArgument(positionals);
	const settings = readSettings(values, false);
	printDiagnostics(settings.diagnostics, io);
	if (!settings.config) return exit.failure;
	const path = controlPath(settings.config.stateDir);
	const reply = await control(path, { verb: "usb-hand", what: "block", port });
	if (reply.ok) io.out(`${escapeForTerminal(reply.message)}\n`);
	else io.error(`portward: ${escapeForTerminal(reply.message)}\n`);
	return reply.ok ? exit.ok : exit.failure;
}
