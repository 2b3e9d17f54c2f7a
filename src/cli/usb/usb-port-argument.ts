/** The port that a command is about. */

import { parseUsbPort } from "../../enforcers/usb/observe/port.ts";
import { UsageError } from "../command.ts";

/** @throws UsageError unless there is one port of a device. */
export function portArgument(positionals: readonly string[]): string {
	const [port, ...more] = positionals;
	const known = port === undefined || more.length > 0 ? null : parseUsbPort(port);
	if (port === undefined || known === null || known.interface !== null || known.level === 0)
		throw new UsageError("write one port, as portward usb list shows it, such as 1-4 or 1-4.2");
	return port;
}
