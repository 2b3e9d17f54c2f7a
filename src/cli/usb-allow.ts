/** `portward usb allow`: a temporary permission, asked of the running daemon. */

import { controlPath, longestPermission } from "../daemon/control-protocol.ts";
import { parseUsbPort } from "../observe/usb-port.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { exit, type Io, UsageError } from "./command.ts";
import { control } from "./control-client.ts";
import { parseDuration } from "./duration.ts";
import { parseOptions } from "./options.ts";
import { commandSettings } from "./stand-in-settings.ts";

export async function usbAllow(args: readonly string[], io: Io): Promise<number> {
	const { values, positionals } = parseOptions(args, {
		for: { type: "string" },
		config: { type: "string" },
		"state-dir": { type: "string" },
	});
	const [port, ...more] = positionals;
	const known = port === undefined || more.length > 0 ? null : parseUsbPort(port);
	if (port === undefined || known === null || known.interface !== null || known.level === 0) {
		throw new UsageError("write one port, as portward usb list shows it, such as 1-4 or 1-4.2");
	}
	const seconds = parseDuration(values.for ?? "");
	if (seconds === null || seconds > longestPermission) {
		throw new UsageError("write how long, at most a day: --for 90s, --for 10m or --for 2h");
	}
	const { stateDir } = commandSettings(values, io);
	const reply = await control(controlPath(stateDir), { verb: "usb-allow", port, seconds });
	if (reply.ok) io.out(`${escapeForTerminal(reply.message)}\n`);
	else io.error(`portward: ${escapeForTerminal(reply.message)}\n`);
	return reply.ok ? exit.ok : exit.failure;
}
