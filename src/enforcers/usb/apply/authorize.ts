/** Authorizes and refuses single devices. Every call here may hold its thread for as long as a device does not answer. */

import type { WriteResult } from "../../../kernel/sysfs.ts";

/** What of sysfs is needed; paths are relative to its root. */
export interface SysfsWriter {
	readText(path: string): string | null;
	list(path: string): readonly string[];
	write(path: string, value: string, check?: () => boolean): WriteResult;
}

const devices = "bus/usb/devices";

export interface AuthorizeRequest {
	/** `1-4.1` */
	readonly name: string;
	/** Interface directories (`1-4.1:1.0`) that may be used, whether they exist by then or not. */
	readonly permitted: readonly string[];
	/** The bus whose new interfaces must come up refused; null where nothing is locked. */
	readonly lockedBus: number | null;
	/** Also offer interfaces to drivers that were authorized before but have none. */
	readonly probeUnbound: boolean;
}

export interface Authorized {
	readonly result: WriteResult;
	/** Whether the device itself was authorized here, whatever failed later. */
	readonly given: boolean;
}

/**
 * Marks the events that are written here (Documentation/ABI/testing/sysfs-uevent), so that we do not answer them
 * ourselves.
 */
export const ownEvent = "5d0c4a3e-6b1f-4f0e-9a52-706f72747761";

/**
 * Authorizes a device, then its permitted interfaces, then offers these to
 * drivers: all siblings first, as one driver may claim several. Where the
 * device was not authorized before, its `add` is told once more: udev's rules
 * met it without a configuration, and are to see what it is. `same` says
 * whether the name still is that of the device that was judged.
 */
export function authorizeDevice(
	files: SysfsWriter,
	request: AuthorizeRequest,
	same: () => boolean,
): Authorized {
	const path = `${devices}/${request.name}`;
	const given = { now: false };
	const result = authorizeParts(files, request, same, given);
	if (given.now && result.ok) {
		const told = files.write(`${path}/uevent`, `add ${ownEvent}`, same);
		// Linux before 4.13 takes the action alone.
		if (!told.ok && told.reason === "failed") files.write(`${path}/uevent`, "add", same);
	}
	return { result, given: given.now };
}

function authorizeParts(
	files: SysfsWriter,
	request: AuthorizeRequest,
	same: () => boolean,
	given: { now: boolean },
): WriteResult {
	const path = `${devices}/${request.name}`;
	if (request.lockedBus !== null) {
		const closed = setDefault(files, `${devices}/usb${request.lockedBus}/interface_authorized_default`, "0");
		if (!closed.ok) return closed;
	}
	if (files.readText(`${path}/authorized`) === "0") {
		const written = files.write(`${path}/authorized`, "1", same);
		if (!written.ok) return written;
		given.now = true;
	}
	const toProbe: string[] = [];
	for (const name of files.list(path)) {
		if (!request.permitted.includes(name)) continue;
		const attribute = `${path}/${name}/authorized`;
		if (files.readText(attribute) === "0") {
			const written = files.write(attribute, "1", same);
			if (!written.ok) return written;
			toProbe.push(name);
		} else if (request.probeUnbound) toProbe.push(name);
	}
	for (const name of toProbe) {
		const probed = files.write("bus/usb/drivers_probe", name, same);
		if (!probed.ok && probed.reason === "changed") return probed;
	}
	return { ok: true };
}

/** Refuses a whole device, or with `interfaces` only these of its interfaces. */
export function refuseDevice(
	files: SysfsWriter,
	name: string,
	interfaces: readonly string[] | null,
	same: () => boolean,
): WriteResult {
	const path = `${devices}/${name}`;
	if (interfaces === null) return files.write(`${path}/authorized`, "0", same);
	for (const item of interfaces) {
		const written = files.write(`${path}/${item}/authorized`, "0", same);
		if (!written.ok) return written;
	}
	return { ok: true };
}

/** Writes an attribute unless it has the value already. */
export function setDefault(files: SysfsWriter, path: string, value: string): WriteResult {
	return files.readText(path) === value ? { ok: true } : files.write(path, value);
}
