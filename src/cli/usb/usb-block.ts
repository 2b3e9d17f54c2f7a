/** `portward usb block`: refuses the device on a port, asked of the running daemon. */

import { askDaemon, daemonOptions } from "../change/change-reply.ts";
import type { Io } from "../command.ts";
import { parseOptions } from "../options.ts";
import { portArgument } from "./usb-port-argument.ts";

export async function usbBlock(args: readonly string[], io: Io): Promise<number> {
	const { values, positionals } = parseOptions(args, daemonOptions);
	const port = portArgument(positionals);
	return askDaemon({ verb: "usb-hand", what: "block", port }, values, io);
}
