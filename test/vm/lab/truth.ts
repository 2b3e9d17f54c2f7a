import type { Vm } from "./vm.ts";
import { until } from "./wait.ts";

/** A device as the guest's kernel has it now. */
export interface DeviceTruth {
	readonly name: string;
	readonly authorized: boolean;
	/** "usb" for a plain device, even for one that is not authorized: it says nothing about access. */
	readonly driver: string | undefined;
	/** "0627:0001". */
	readonly ids: string;
	/** "00:00:00", class, subclass and protocol in hex. */
	readonly triple: string;
	readonly devnum: number;
	/** Hex, as in sysfs. */
	readonly descriptors: string;
}

/** An interface of an authorized device; one of a refused device does not exist. */
export interface InterfaceTruth {
	readonly name: string;
	readonly authorized: boolean;
	readonly driver: string | undefined;
	/** Of the current altsetting. */
	readonly triple: string;
	readonly altsetting: number;
}

/** A device for programs, such as a disk or an input device, that exists because of a USB interface. */
export interface NodeTruth {
	/** The folder of /sys/class: "block", "input", "net", "tty", "sound", "hidraw", "usbmisc", "scsi_host". */
	readonly class: string;
	readonly name: string;
	/** Name of the USB interface (or device) that it hangs on. */
	readonly usb: string;
}

export interface UsbTruth {
	/** Root hubs' defaults for new devices and for new interfaces. */
	readonly hubs: ReadonlyMap<string, { readonly devices: string; readonly interfaces: string }>;
	/** Root hubs ("usb1") included. */
	readonly devices: ReadonlyMap<string, DeviceTruth>;
	readonly interfaces: ReadonlyMap<string, InterfaceTruth>;
	readonly nodes: readonly NodeTruth[];
}

const optional = (value: string | undefined) => (value === undefined || value === "-" ? undefined : value);

export function parseTruth(text: string): UsbTruth {
	const hubs = new Map<string, { devices: string; interfaces: string }>();
	const devices = new Map<string, DeviceTruth>();
	const interfaces = new Map<string, InterfaceTruth>();
	const nodes: NodeTruth[] = [];
	for (const line of text.split("\n")) {
		const [kind, name = "", first = "", second = "", third = "", fourth = "", fifth = "", sixth = ""] =
			line.split(" ");
		if (kind === "hub") hubs.set(name, { devices: first, interfaces: second });
		else if (kind === "node") nodes.push({ class: name, name: first, usb: second });
		else if (kind === "device")
			devices.set(name, {
				name,
				authorized: first === "1",
				driver: optional(second),
				ids: third,
				triple: fourth,
				devnum: Number(fifth),
				descriptors: optional(sixth) ?? "",
			});
		else if (kind === "interface")
			interfaces.set(name, {
				name,
				authorized: first === "1",
				driver: optional(second),
				triple: third,
				altsetting: Number(fourth),
			});
	}
	return { hubs, devices, interfaces, nodes };
}

/** What the guest's kernel says about USB now. Never waits for a device. */
export async function usbTruth(vm: Vm): Promise<UsbTruth> {
	return parseTruth(await vm.sh("/run/lab/usbstate"));
}

/** Asks for the truth until it satisfies `condition`; throws TimedOut with the last one after `ms`. */
export async function untilTruth(
	vm: Vm,
	condition: (truth: UsbTruth) => boolean,
	what: string,
	ms = 60_000,
): Promise<UsbTruth> {
	let last: UsbTruth | undefined;
	const show = () => JSON.stringify([...(last?.interfaces.values() ?? []), ...(last?.nodes ?? [])]);
	return await until(
		ms,
		() => `${what}; last: ${show()}`,
		async () => {
			last = await usbTruth(vm);
			return condition(last) ? last : undefined;
		},
	);
}

/** Waits until a device, and with it all that hung on it, is no longer there. */
export async function untilGone(vm: Vm, device: string): Promise<void> {
	await untilTruth(vm, ({ devices }) => !devices.has(device), `${device} to go`);
}

/** Sets what the present controllers do with devices, and with interfaces, to come: 0 refuses, 1 authorizes. */
export async function setDefaults(vm: Vm, devices: 0 | 1, interfaces: 0 | 1): Promise<void> {
	await vm.sh(`for hub in /sys/bus/usb/devices/usb*; do
		echo ${devices} > $hub/authorized_default
		echo ${interfaces} > $hub/interface_authorized_default
	done`);
}

/** The device and interface names below `device` ("1-5": "1-5:1.0", "1-5.2", "1-5.2:1.0", ...). */
export function below(truth: UsbTruth, device: string): string[] {
	return [...truth.devices.keys(), ...truth.interfaces.keys()].filter(
		(name) => name.startsWith(`${device}:`) || name.startsWith(`${device}.`),
	);
}

/** The drivers bound to a device's own interfaces: interface number → driver. */
export function driversOf(truth: UsbTruth, device: string): ReadonlyMap<number, string> {
	const bound = new Map<number, string>();
	for (const [name, { driver }] of truth.interfaces)
		if (name.startsWith(`${device}:`) && driver !== undefined)
			bound.set(Number(name.split(".").at(-1)), driver);
	return bound;
}

/** Nodes of one class that hang on a device or what is behind it. */
export function nodesOf(truth: UsbTruth, device: string, nodeClass?: string): readonly NodeTruth[] {
	return truth.nodes.filter(
		(node) =>
			(nodeClass === undefined || node.class === nodeClass) &&
			(node.usb === device || node.usb.startsWith(`${device}:`) || node.usb.startsWith(`${device}.`)),
	);
}

/**
 * Every time that a driver was bound to an interface below a device, from the uevents since `mark` that the kernel has
 * sent before this call: interface name → drivers. The bind of the whole device's generic driver "usb" is left out: it
 * comes for refused devices as well. A bind is sent when the driver's probe is over, so a node may be there before.
 */
export async function bindsSince(
	vm: Vm,
	device: string,
	mark: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
	await vm.barrier();
	const binds = new Map<string, string[]>();
	for (const event of vm.events.uevents(
		({ action, subsystem, properties, name }) =>
			action === "bind" &&
			subsystem === "usb" &&
			properties.get("DEVTYPE") === "usb_interface" &&
			(name.startsWith(`${device}:`) || name.startsWith(`${device}.`)),
		mark,
	))
		binds.set(event.name, [...(binds.get(event.name) ?? []), event.properties.get("DRIVER") ?? ""]);
	return binds;
}
