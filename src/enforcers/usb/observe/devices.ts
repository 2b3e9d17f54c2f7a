/**
 * The USB devices that sysfs shows (Documentation/ABI/testing/sysfs-bus-usb).
 * `product`, `manufacturer` and `serial` take the device's lock, which a driver
 * may hold for as long as its device does not answer: read devices on a thread
 * that may wait. bConfigurationValue and its like, which need the lock for
 * nothing that we want to know, are left alone.
 */

import type { UsbDevice } from "../subject.ts";
import { descriptorLimits, parseUsbDescriptors } from "./descriptors.ts";
import { compareUsbPorts, parseUsbPort } from "./port.ts";

/** What of sysfs is needed; paths are relative to its root. */
export interface SysfsReader {
	readText(path: string): string | null;
	readBytes(path: string, limit: number): Uint8Array | null;
	list(path: string): readonly string[];
	identity(path: string): string | null;
	linkName(path: string): string | null;
	linkPath(path: string): string | null;
	realPath(path: string): string | null;
}

export const usbDevicesPath = "bus/usb/devices";

function usbDevicePath(name: string): string {
	return `${usbDevicesPath}/${name}`;
}

/** An interface of the configuration that is in force; a device that is not authorized has none. */
export interface PresentInterface {
	/** `1-4:1.0`. */
	readonly name: string;
	readonly configuration: number;
	readonly number: number;
	/** Differs from that of any other interface, and of the same one after its device was configured again. */
	readonly instance: string;
	readonly authorized: boolean;
	/** Null when no driver is bound. */
	readonly driver: string | null;
}

/** A device at one moment. Plain data. */
export interface PresentDevice {
	/** Differs from that of any other device, and of the same one plugged in again. */
	readonly instance: string;
	/** The kernel's address of the device. */
	readonly bus: number;
	readonly number: number;
	readonly authorized: boolean;
	readonly interfaces: readonly PresentInterface[];
	/**
	 * Whether the bus authorizes devices and interfaces by itself as they appear. False where that was not asked: it says
	 * nothing where the device, or every interface of it, is authorized.
	 */
	readonly opens: { readonly devices: boolean; readonly interfaces: boolean };
	readonly device: UsbDevice;
	/** Where it is in sysfs, such as `/devices/pci0000:00/0000:00:14.0/usb1/1-4`. */
	readonly sysPath: string;
	/** Of the last uevent of the kernel before it was read: what that one and those before it told is in here. */
	readonly sequence: number;
}

/** The names of all devices, root hubs included, a hub before what hangs on it. Takes no locks. */
export function listUsbDevices(files: Pick<SysfsReader, "list">): readonly string[] {
	return files
		.list(usbDevicesPath)
		.filter((name) => parseUsbPort(name)?.interface === null)
		.sort(compareUsbPorts);
}

/** Tells one instance of a device from every other. Null when it is not there. Takes no locks. */
export function usbInstance(files: Pick<SysfsReader, "identity" | "readText">, name: string): string | null {
	const port = parseUsbPort(name);
	const path = usbDevicePath(name);
	const identity = files.identity(path);
	const number = files.readText(`${path}/devnum`);
	// The kernel names devices by their bus (usb_alloc_dev).
	return port === null || identity === null || number === null ? null : `${identity}.${port.bus}.${number}`;
}

/** Of the kernel's last uevent, of whatever subsystem; 0 where it does not say. */
function lastSequence(files: Pick<SysfsReader, "readText">): number {
	const text = files.readText("kernel/uevent_seqnum") ?? "";
	return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

/** Reads a device. Null when it is not there, or was exchanged for another while it was read. May wait for the device. */
export function readUsbDevice(files: SysfsReader, name: string): PresentDevice | null {
	const port = parseUsbPort(name);
	if (port === null || port.interface !== null) return null;
	const sequence = lastSequence(files);
	const path = usbDevicePath(name);
	const instance = usbInstance(files, name);
	const bytes = files.readBytes(`${path}/descriptors`, descriptorLimits.bytes + 1);
	const sysPath = files.linkPath(path);
	if (instance === null || bytes === null || sysPath === null) return null;
	const entries = files.list(path);
	// Which of them there are is settled before the device is announced.
	const text = (attribute: string) =>
		entries.includes(attribute) ? files.readText(`${path}/${attribute}`) : null;
	const authorized = (files.readText(`${path}/authorized`) ?? "0") !== "0";
	const interfaces = readInterfaces(files, name, entries);
	const present: PresentDevice = {
		instance,
		bus: port.bus,
		number: Number(instance.slice(instance.lastIndexOf(".") + 1)),
		authorized,
		interfaces,
		opens: {
			devices: !authorized && opensDevices(files, port.bus),
			interfaces: interfaces.some((item) => !item.authorized) && opensInterfaces(files, port.bus),
		},
		device: {
			port: name,
			level: port.level,
			descriptors: parseUsbDescriptors(bytes),
			serial: text("serial"),
			product: text("product"),
			manufacturer: text("manufacturer"),
			...readPort(files, name),
			descriptorsHash: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
		},
		sysPath,
		sequence,
	};
	return usbInstance(files, name) === instance ? present : null;
}

/** The interfaces that exist now. Takes no locks. */
export function readInterfaces(
	files: Pick<SysfsReader, "identity" | "readText" | "linkName" | "list">,
	name: string,
	entries = files.list(usbDevicePath(name)),
): readonly PresentInterface[] {
	const path = usbDevicePath(name);
	const interfaces: PresentInterface[] = [];
	for (const entry of entries) {
		if (!entry.includes(":")) continue;
		const port = parseUsbPort(entry);
		if (port === null || port.interface === null || port.device !== name) continue;
		const { configuration, number } = port.interface;
		const instance = files.identity(`${path}/${entry}`);
		if (instance === null) continue;
		interfaces.push({
			name: entry,
			configuration,
			number,
			instance,
			// Before Linux 4.4 there is no such file, and every interface is authorized.
			authorized: (files.readText(`${path}/${entry}/authorized`) ?? "1") !== "0",
			driver: files.linkName(`${path}/${entry}/driver`),
		});
	}
	return interfaces.sort((a, b) => a.configuration - b.configuration || a.number - b.number);
}

/** What becomes of a device that appears on a bus, if nobody decides: 1 is the kernel's own way. */
function opensDevices(files: Pick<SysfsReader, "readText">, bus: number): boolean {
	return files.readText(`${usbDevicePath(`usb${bus}`)}/authorized_default`) === "1";
}

function opensInterfaces(files: Pick<SysfsReader, "readText">, bus: number): boolean {
	return (files.readText(`${usbDevicePath(`usb${bus}`)}/interface_authorized_default`) ?? "1") !== "0";
}

/**
 * Instances of what is not authorized although the bus authorizes what appears, so that somebody must have refused it.
 * Takes no locks.
 */
export function refusedByOthers(files: SysfsReader): readonly string[] {
	return listUsbDevices(files).flatMap((name) => {
		const bus = parseUsbPort(name)?.bus ?? 0;
		const instance = usbInstance(files, name);
		const refused = files.readText(`${usbDevicePath(name)}/authorized`) === "0";
		if (refused && instance !== null && opensDevices(files, bus)) return [instance];
		const closed = readInterfaces(files, name).filter((item) => !item.authorized);
		return closed.length > 0 && opensInterfaces(files, bus) ? closed.map((item) => item.instance) : [];
	});
}

const connectTypes = ["hotplug", "hardwired", "not used"] as const;

type PortFacts = Pick<UsbDevice, "connectType" | "twin">;

/**
 * The link `port` comes only after the device's `add`, so the port is looked up
 * among what its hub has had from the start.
 */
function readPort(files: SysfsReader, name: string): PortFacts {
	const port = parseUsbPort(name);
	const last = port?.chain.at(-1);
	if (port === null || last === undefined) return { connectType: "unknown", twin: null };
	const chain = port.chain.slice(0, -1);
	const hub = chain.length === 0 ? `usb${port.bus}` : `${port.bus}-${chain.join(".")}`;
	const hubPath = usbDevicePath(hub);
	// Nearly every hub has its one interface there; a crowded one has a hundred entries beside it.
	const usual = `${chain.length === 0 ? `${port.bus}-0` : hub}:1.0`;
	const first = portFacts(files, `${hubPath}/${usual}/${hub}-port${last}`);
	if (first !== null) return first;
	for (const entry of files.list(hubPath)) {
		const inner = parseUsbPort(entry);
		if (inner === null || inner.interface === null || inner.device !== hub) continue;
		const found = portFacts(files, `${hubPath}/${entry}/${hub}-port${last}`);
		if (found !== null) return found;
	}
	return { connectType: "unknown", twin: null };
}

function portFacts(files: Pick<SysfsReader, "readText" | "linkName">, path: string): PortFacts | null {
	const text = files.readText(`${path}/connect_type`);
	if (text === null) return null;
	return { connectType: connectTypeOf(text), twin: deviceOnPort(files.linkName(`${path}/peer`)) };
}

function connectTypeOf(text: string): UsbDevice["connectType"] {
	return connectTypes.find((type) => type === text) ?? "unknown";
}

/** `usb2-port3` is where `2-3` would be, and `2-1-port4` where `2-1.4` would be. */
function deviceOnPort(name: string | null): string | null {
	const [, hub = "", number = ""] = /^(.+)-port([0-9]{1,3})$/.exec(name ?? "") ?? [];
	const parsed = parseUsbPort(hub);
	if (parsed === null || parsed.interface !== null) return null;
	return parsed.level === 0 ? `${parsed.bus}-${number}` : `${hub}.${number}`;
}

/** The connect types that the machine's ports report, of whatever hub. Takes no locks. */
export function listConnectTypes(files: SysfsReader): ReadonlySet<UsbDevice["connectType"]> {
	const types = new Set<UsbDevice["connectType"]>();
	for (const hub of listUsbDevices(files)) {
		for (const entry of files.list(usbDevicePath(hub))) {
			if (parseUsbPort(entry)?.device !== hub) continue;
			for (const port of files.list(`${usbDevicePath(hub)}/${entry}`)) {
				if (!/-port[0-9]+$/.test(port)) continue;
				const text = files.readText(`${usbDevicePath(hub)}/${entry}/${port}/connect_type`);
				if (text !== null) types.add(connectTypeOf(text));
			}
		}
	}
	return types;
}
