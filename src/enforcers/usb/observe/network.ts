/** Which USB devices carry a network device: an adapter, and what is stacked on it (sysfs-class-net, `lower_*`). */

import type { SysfsReader } from "./devices.ts";
import { parseUsbPort } from "./port.ts";

/** A bridge of bonds of VLANs of an adapter is deep already. */
const deepest = 16;

/** A network device is an interface of a USB device, which hangs on others. */
export interface UsbCarrier {
	/** The adapter's own network device. */
	readonly netdev: string;
	/** `1-4:2.0` */
	readonly interface: string;
	/** The adapter's port, then that of the hub it hangs on, and so on. */
	readonly ports: readonly string[];
}

/** The USB adapters below a network device; none where it is another kind of device, or is not there. */
export function usbCarriers(
	files: Pick<SysfsReader, "list" | "realPath">,
	name: string,
	depth = deepest,
): readonly UsbCarrier[] {
	if (!/^[^/\0]{1,15}$/.test(name) || name === "." || name === "..") return [];
	const path = files.realPath(`class/net/${name}`);
	if (path === null) return [];
	const parts = path.split("/").map(parseUsbPort);
	const own = parts.findLast((part) => part !== null && part.interface !== null);
	if (own?.interface) {
		const ports = parts.flatMap((part) => (part && part.level > 0 && !part.interface ? [part.device] : []));
		const { configuration, number } = own.interface;
		return [{ netdev: name, interface: `${own.device}:${configuration}.${number}`, ports: ports.reverse() }];
	}
	if (depth === 0) return [];
	return files
		.list(`class/net/${name}`)
		.filter((entry) => entry.startsWith("lower_"))
		.flatMap((entry) => usbCarriers(files, entry.slice("lower_".length), depth - 1));
}
