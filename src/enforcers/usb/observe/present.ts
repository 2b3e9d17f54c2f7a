/** The USB devices of this machine, read from sysfs by a command. */

import { Sysfs } from "../../../kernel/sysfs.ts";
import { listUsbDevices, type PresentDevice, readUsbDevice } from "./devices.ts";

/** Where the kernel shows its devices. */
export const sysfsRoot = "/sys";

/** Every device that can be read, a hub before what hangs on it; null where the kernel has no USB. */
export function presentDevices(root: string): readonly PresentDevice[] | null {
	const files = new Sysfs(root);
	if (files.identity("bus/usb/devices") === null) return null;
	return listUsbDevices(files).flatMap((name) => readUsbDevice(files, name) ?? []);
}
