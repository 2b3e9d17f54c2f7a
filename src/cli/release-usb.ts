/** `portward release usb`: what a stopped daemon refused is authorized again, and the kernel's defaults are put back. */

import { usbClassName } from "../enforcers/usb/class.ts";
import type { PresentDevice } from "../enforcers/usb/observe/devices.ts";
import { usbJobs } from "../enforcers/usb/run/jobs.ts";
import { bootId, UsbMemory } from "../enforcers/usb/run/memory.ts";
import { UsbOwners } from "../enforcers/usb/run/owners.ts";
import { Sysfs } from "../kernel/sysfs.ts";

export type UsbRelease =
	| {
			readonly ok: true;
			readonly released: boolean;
			readonly devices: number;
			/** Ports of devices that somebody else refused, or functions of them, and that stay so. */
			readonly left: readonly string[];
	  }
	| { readonly ok: false; readonly error: string };

/** Rounds over all devices: what hangs on a hub appears only after the hub is authorized. */
const mostRounds = 8;
/** Between rounds, for the kernel to look at a hub's ports. */
const roundMs = 500;

/** A device of which something is refused, and would not be any more. */
export interface Withheld {
	readonly present: PresentDevice;
	/** What somebody else refused is not ours to give. */
	readonly foreign: boolean;
}

/**
 * What `releaseUsb` would authorize: devices, and interfaces of the configuration in force. Changes nothing. Null where
 * nothing was locked, and why what was kept cannot be read.
 */
export async function withheldDevices(
	stateDirectory: string,
	root: string,
	boot = bootId(),
	open: (root: string) => Sysfs = (at) => new Sysfs(at),
): Promise<readonly Withheld[] | null> {
	const memory = new UsbMemory(stateDirectory, boot);
	if (memory.value.prior === null) return null;
	const owners = new UsbOwners({ memory, changed: () => {} });
	const jobs = usbJobs(open);
	const withheld: Withheld[] = [];
	for (const { name } of (await jobs.list({ root })) ?? []) {
		const present = await jobs.inspect({ root, name });
		if (present === null || isOpen(present)) continue;
		withheld.push({ present, foreign: isForeign(owners, present) });
	}
	return withheld;
}

function isOpen(present: PresentDevice): boolean {
	return present.authorized && present.interfaces.every((item) => item.authorized);
}

/** Whether somebody else refused the device, or everything of it that is refused. */
function isForeign(owners: UsbOwners, present: PresentDevice): boolean {
	owners.observe(present);
	if (!present.authorized) return owners.foreign(present);
	const theirs = owners.foreignInterfaces(present);
	return present.interfaces.every((item) => item.authorized || theirs.includes(item));
}

/** One line about a device, as a reader knows it. The strings are the device's own. */
export function describeWithheld({ device }: PresentDevice): string {
	const { descriptors, port, manufacturer, product, serial } = device;
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	const words = [manufacturer, product].filter((text) => text !== null && text !== "");
	const classes = new Set(
		descriptors.configurations.flatMap(({ interfaces }) =>
			interfaces.map((item) => usbClassName(item.class)),
		),
	);
	const name = [`${hex(descriptors.vendorId)}:${hex(descriptors.productId)}`, ...words].join(" ");
	return `${port} ${name}${serial === null ? "" : ` (${serial})`}: ${[...classes].join(", ")}`;
}

/** `root` is /sys, or a stand-in for it. */
export async function releaseUsb(
	stateDirectory: string,
	root: string,
	boot = bootId(),
	open: (root: string) => Sysfs = (at) => new Sysfs(at),
): Promise<UsbRelease> {
	const memory = new UsbMemory(stateDirectory, boot);
	const { prior } = memory.value;
	// The version before a damaged one knows the same values, if it knows any.
	if (prior === null && memory.problem !== null) return { ok: false, error: memory.problem };
	if (prior === null) return { ok: true, released: false, devices: 0, left: [] };
	const owners = new UsbOwners({ memory, changed: () => {} });
	const jobs = usbJobs(open);
	const errors = [...(await jobs.unlock({ root, prior }))];
	const done = new Set<string>();
	const left: string[] = [];
	let opened = 0;
	for (let round = 0; round < mostRounds; round++) {
		const devices = (await jobs.list({ root })) ?? [];
		let hubs = false;
		for (const { name, instance } of devices.filter((item) => !done.has(item.instance))) {
			done.add(instance);
			const present = await jobs.inspect({ root, name });
			if (present === null || isOpen(present)) continue;
			if (isForeign(owners, present)) {
				left.push(name);
				continue;
			}
			const { configurations, device } = present.device.descriptors;
			const foreign = new Set(owners.foreignInterfaces(present).map((item) => item.name));
			const permitted = configurations
				.flatMap(({ value, interfaces }) => interfaces.map(({ number }) => `${name}:${value}.${number}`))
				.filter((item) => !foreign.has(item));
			const request = { name, permitted, lockedBus: null, probeUnbound: false };
			const { result } = await jobs.authorize({ root, instance, request });
			if (result.ok) opened += 1;
			else if (result.reason === "failed") errors.push(result.error);
			hubs ||= device.class === 9;
		}
		if (!hubs) break;
		await Bun.sleep(roundMs);
	}
	const [first] = errors;
	if (first !== undefined) return { ok: false, error: first };
	const unsaved = memory.update({ prior: null });
	return unsaved === null
		? { ok: true, released: true, devices: opened, left }
		: { ok: false, error: unsaved };
}
