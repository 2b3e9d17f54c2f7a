/**
 * The kernel's names for USB devices and interfaces in /sys/bus/usb/devices:
 * `usbB` for a root hub, `B-P[.P…]` for a device, `B-P[.P…]:C.I` for one of its
 * interfaces (Documentation/ABI and drivers/usb/core/usb.c, usb_alloc_dev).
 */

export interface UsbPort {
	/** The device's name without the interface suffix. */
	readonly device: string;
	/** 1 upwards. */
	readonly bus: number;
	/** Port numbers from the controller outwards; empty for a root hub. */
	readonly chain: readonly number[];
	/** The length of the chain: 0 for a root hub, 1 on a root port. */
	readonly level: number;
	/** Present in interface names. */
	readonly interface: { readonly configuration: number; readonly number: number } | null;
}

const rootHub = /^usb([0-9]{1,5})$/;
const rootInterface = /^([0-9]{1,5})-0:([0-9]{1,3})\.([0-9]{1,3})$/;
const below = /^([0-9]{1,5})-([0-9]{1,3}(?:\.[0-9]{1,3}){0,15})(?::([0-9]{1,3})\.([0-9]{1,3}))?$/;

/** Null for what is no such name, `4` and `1-0` among them. */
export function parseUsbPort(name: string): UsbPort | null {
	const root = rootHub.exec(name) ?? rootInterface.exec(name);
	if (root !== null) {
		const [, bus = "", configuration, number] = root;
		return {
			device: `usb${bus}`,
			bus: Number(bus),
			chain: [],
			level: 0,
			interface:
				configuration === undefined ? null : { configuration: Number(configuration), number: Number(number) },
		};
	}
	const match = below.exec(name);
	if (match === null) return null;
	const [, bus = "", ports = "", configuration, number] = match;
	const chain = ports.split(".").map(Number);
	if (chain.includes(0)) return null;
	return {
		device: `${bus}-${ports}`,
		bus: Number(bus),
		chain,
		level: chain.length,
		interface:
			configuration === undefined ? null : { configuration: Number(configuration), number: Number(number) },
	};
}

/** Orders names as people count ports: by bus, then port by port, a hub before what hangs on it. */
export function compareUsbPorts(a: string, b: string): number {
	const left = parseUsbPort(a);
	const right = parseUsbPort(b);
	if (left === null || right === null) {
		return Number(left === null) - Number(right === null) || (a < b ? -1 : Number(a > b));
	}
	if (left.bus !== right.bus) return left.bus - right.bus;
	for (let at = 0; at < Math.min(left.level, right.level); at++) {
		const difference = (left.chain[at] ?? 0) - (right.chain[at] ?? 0);
		if (difference !== 0) return difference;
	}
	return left.level - right.level;
}
