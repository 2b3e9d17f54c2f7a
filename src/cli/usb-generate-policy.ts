/** `portward usb generate-policy`: an allow-list of what is plugged in now. */

import { generatePolicy } from "../compile/usb-generate.ts";
import { exit, type Io } from "./command.ts";
import { parseOnlyOptions } from "./options.ts";
import { presentDevices, sysfsRoot } from "./usb-devices.ts";

/** `root` is where sysfs is mounted. */
export async function usbGeneratePolicy(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	parseOnlyOptions(args, {});
	const present = presentDevices(root);
	if (present === null) {
		io.error("portward: the kernel shows no USB (/sys/bus/usb is not there)\n");
		return exit.failure;
	}
	io.out(generatePolicy(present.map(({ device }) => device)));
	return exit.ok;
}
