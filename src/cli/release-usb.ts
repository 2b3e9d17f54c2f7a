/** `portward release usb`: what a stopped daemon refused is authorized again, and the kernel's defaults are put back. */

import { usbJobs } from "../daemon/usb-jobs.ts";
import { bootId, UsbMemory } from "../daemon/usb-memory.ts";

export type UsbRelease =
	| { readonly ok: true; readonly released: boolean; readonly devices: number }
	| { readonly ok: false; readonly error: string };

/** Rounds over all devices: what hangs on a hub appears only after the hub is authorized. */
const mostRounds = 8;
/** Between rounds, for the kernel to look at a hub's ports. */
const roundMs = 500;

/** `root` is /sys, or a stand-in for it. */
export async function releaseUsb(stateDirectory: string, root: string, boot = bootId()): Promise<UsbRelease> {
	const memory = new UsbMemory(stateDirectory, boot);
	const { prior } = memory.value;
	// The version before a damaged one knows the same values, if it knows any.
	if (prior === null && memory.problem !== null) return { ok: false, error: memory.problem };
	if (prior === null) return { ok: true, released: false, devices: 0 };
	const jobs = usbJobs();
	const errors = [...(await jobs.unlock({ root, prior }))];
	const done = new Set<string>();
	let opened = 0;
	for (let round = 0; round < mostRounds; round++) {
		const devices = (await jobs.list({ root })) ?? [];
		const refused = devices.filter(({ instance }) => !done.has(instance));
		let hubs = false;
		for (const { name, instance } of refused) {
			done.add(instance);
			const present = await jobs.inspect({ root, name });
			if (present === null) continue;
			const open = present.authorized && present.interfaces.every((item) => item.authorized);
			if (open) continue;
			const { configurations, device } = present.device.descriptors;
			const permitted = configurations.flatMap(({ value, interfaces }) =>
				interfaces.map(({ number }) => `${name}:${value}.${number}`),
			);
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
	return unsaved === null ? { ok: true, released: true, devices: opened } : { ok: false, error: unsaved };
}
