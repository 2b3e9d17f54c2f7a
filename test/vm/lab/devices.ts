import { writeFileSync } from "node:fs";
import type { QmpValue } from "./qmp.ts";
import type { Vm } from "./vm.ts";

/** The devices that QEMU emulates. */
export type UsbKind =
	| "keyboard"
	| "mouse"
	| "tablet"
	| "storage"
	| "uas"
	| "hub"
	| "net"
	| "serial"
	| "ccid"
	| "audio";

const drivers: { readonly [kind in UsbKind]: string } = {
	keyboard: "usb-kbd",
	mouse: "usb-mouse",
	tablet: "usb-tablet",
	storage: "usb-storage",
	uas: "usb-uas",
	hub: "usb-hub",
	net: "usb-net",
	serial: "usb-serial",
	ccid: "usb-ccid",
	audio: "usb-audio",
};

export interface PlugOptions {
	/** Port of the controller, 1 to 15, or behind hubs: "5.2". */
	readonly port: string;
	/** Other properties of QEMU's device, such as serial for a keyboard or a disk. */
	readonly properties?: { readonly [name: string]: QmpValue };
	/** False: return without waiting for the kernel to see it, as behind a hub that is not authorized. */
	readonly wait?: boolean;
	/** Bytes at the start of a disk, which has 16 MiB. */
	readonly content?: Uint8Array;
	/** Milliseconds to wait for the kernel. */
	readonly timeout?: number;
}

/** A device that is plugged in. */
export interface Plugged {
	readonly kind: UsbKind;
	readonly port: string;
	/** Its name in the guest's sysfs, "1-5.2"; a fast disk is on the bus of the other speed, "2-5". "" when not waited for. */
	readonly name: string;
	/** Its place in the event stream: just before it was plugged. */
	readonly mark: number;
	/** Pulls it out, and waits until QEMU has; the kernel notices a moment later. */
	unplug(): Promise<void>;
}

let serial = 0;

/** Plugs a device into the guest's xHCI controller, and waits for the kernel's "add". */
export async function plug(vm: Vm, kind: UsbKind, options: PlugOptions): Promise<Plugged> {
	const id = `${kind}${++serial}`;
	const mark = vm.events.mark();
	const undo: (() => Promise<unknown>)[] = [];
	const properties: { [name: string]: QmpValue } = { bus: "hc.0", port: options.port, ...options.properties };
	if (kind === "storage" || kind === "uas") {
		const path = vm.path(`${id}.img`);
		const image = new Uint8Array(16 << 20);
		image.set(options.content ?? []);
		writeFileSync(path, image);
		const file = { driver: "file", filename: path };
		await vm.monitor("blockdev-add", { driver: "raw", "node-name": `${id}-disk`, file });
		undo.push(() => vm.monitor("blockdev-del", { "node-name": `${id}-disk` }));
	}
	if (kind === "storage") properties.drive = `${id}-disk`;
	if (kind === "serial") {
		await vm.monitor("chardev-add", { id: `${id}-line`, backend: { type: "null", data: {} } });
		undo.push(() => vm.monitor("chardev-remove", { id: `${id}-line` }));
		Object.assign(properties, { chardev: `${id}-line`, "always-plugged": true });
	}
	if (kind === "net") {
		// A hub without another port: the interface leads nowhere.
		await vm.monitor("netdev_add", { type: "hubport", id: `${id}-net`, hubid: serial });
		undo.push(() => vm.monitor("netdev_del", { id: `${id}-net` }));
		properties.netdev = `${id}-net`;
	}
	if (kind === "audio") properties.audiodev = "sound";
	await vm.monitor("device_add", { driver: drivers[kind], id, ...properties });
	if (kind === "uas") {
		// Plugged without disks, this device stays detached until it is told that they are complete.
		await vm.monitor("device_add", {
			driver: "scsi-hd",
			id: `${id}-lun`,
			bus: `${id}.0`,
			drive: `${id}-disk`,
		});
		await vm.monitor("qom-set", { path: `/machine/peripheral/${id}`, property: "attached", value: true });
	}
	const unplug = async () => {
		const events = vm.qmp.events.mark();
		await vm.monitor("device_del", { id });
		await vm.qmp.events.find(
			({ event, data }) => event === "DEVICE_DELETED" && data?.device === id,
			`QEMU to drop ${id}`,
			{
				mark: events,
			},
		);
		for (const step of undo) await step();
	};
	let name = "";
	if (options.wait !== false) name = (await added(vm, options.port, mark, options.timeout)).name;
	return { kind, port: options.port, name, mark, unplug };
}

function added(vm: Vm, port: string, mark: number, ms = 60_000) {
	return vm.events.uevent(
		({ action, subsystem, name }) =>
			action === "add" && subsystem === "usb" && /^[12]-/.test(name) && name.slice(2) === port,
		`the kernel to see a device at port ${port}`,
		{ mark, ms },
	);
}

/** Unplugs a device and waits until the kernel has removed it. */
export async function unplugged(vm: Vm, device: Plugged, ms = 60_000): Promise<void> {
	const mark = vm.events.mark();
	await device.unplug();
	await vm.events.uevent(
		({ action, name }) => action === "remove" && name === device.name,
		`the removal of ${device.name}`,
		{
			mark,
			ms,
		},
	);
}
