/** Locks USB at boot, before the daemon runs. */

import { type LockFiles, lockAll, readDefaults } from "../apply/lock.ts";
import { refusedByOthers, type SysfsReader, usbDevicesPath } from "../observe/devices.ts";
import { UsbMemory } from "./memory.ts";

export type UsbRestore =
	| { readonly ok: true; readonly locked: boolean }
	| { readonly ok: false; readonly errors: readonly string[] };

/**
 * Locks USB as the daemon does, and leaves it the values from before. `locked` is false where the kernel has no USB
 * yet. What is plugged in at the daemon's first start still counts as having been there: until then nobody could
 * have decided about it.
 */
export function restoreUsbLock(
	stateDirectory: string,
	files: LockFiles & SysfsReader,
	boot: string,
): UsbRestore {
	if (files.identity(usbDevicesPath) === null) return { ok: true, locked: false };
	const memory = new UsbMemory(stateDirectory, boot);
	const { prior, foreign } = memory.value;
	// What is refused before anything was locked was refused by somebody else.
	const others = prior === null ? refusedByOthers(files) : [];
	const unsaved = memory.update({
		prior: readDefaults(files, prior),
		foreign: { ...foreign, ...Object.fromEntries(others.map((id) => [id, "somebody-else" as const])) },
	});
	const { errors } = lockAll(files);
	// Locked it is in any case; but `release usb` would not know what to give back.
	const all =
		unsaved === null ? errors : [`what was in force before could not be kept: ${unsaved}`, ...errors];
	return all.length === 0 ? { ok: true, locked: true } : { ok: false, errors: all };
}
