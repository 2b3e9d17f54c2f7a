/** `portward usb allow`: a permission, for a time of the running daemon, or for good by a policy of its own. */

import { sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { type ControlRequest, controlPath, longestPermission } from "../../serve/control/control-protocol.ts";
import { askDaemon, daemonOptions, printReply } from "../change/change-reply.ts";
import { control } from "../change/control-client.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { parseDuration } from "../duration.ts";
import { parseOptions } from "../options.ts";
import { readSettings, type SettingsFlags } from "../settings.ts";
import { allowForGood } from "./usb-allow-permanent.ts";
import { portArgument } from "./usb-port-argument.ts";

/** `root` is where sysfs is mounted. */
export async function usbAllow(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const { values, positionals } = parseOptions(args, {
		for: { type: "string" },
		end: { type: "boolean" },
		permanent: { type: "boolean" },
		...daemonOptions,
		"policy-dir": { type: "string" },
	});
	const port = portArgument(positionals);
	const { end = false, permanent = false } = values;
	if ([values.for !== undefined, end, permanent].filter(Boolean).length !== 1)
		throw new UsageError("write how long: --for 10m, --permanent, or --end for what is allowed for a time");
	const seconds = parseDuration(values.for ?? "");
	if (values.for !== undefined && (seconds === null || seconds > longestPermission))
		throw new UsageError("write how long, at most a day: --for 90s, --for 10m or --for 2h");
	if (permanent) return await forGood(port, values, io, root);
	const request: ControlRequest =
		seconds === null ? { verb: "usb-hand", what: "end", port } : { verb: "usb-allow", port, seconds };
	return askDaemon(request, values, io);
}

/** Where settings are broken nothing is guessed: what is written is read by the daemon for good. */
async function forGood(port: string, flags: SettingsFlags, io: Io, root: string): Promise<number> {
	const { config, diagnostics } = readSettings(flags, false);
	printDiagnostics(diagnostics, io);
	if (!config) return exit.failure;
	const written = allowForGood(config, port, root);
	// What somebody refused by hand stands beside the policies, and is ended as well, where a daemon runs.
	if (written.ok) await control(controlPath(config.stateDir), { verb: "usb-hand", what: "unblock", port });
	return printReply(written, io);
}
