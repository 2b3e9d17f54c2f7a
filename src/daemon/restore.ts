/** `portward restore` without its words: puts back at boot what was last confirmed, before there is a network. */

import type { KernelTable } from "../enforcers/network/apply/kernel-table.ts";
import { type LockFiles, lockAll, readDefaults } from "../enforcers/usb/apply/lock.ts";
import { refusedByOthers, type SysfsReader, usbDevicesPath } from "../enforcers/usb/observe/devices.ts";
import { UsbMemory } from "../enforcers/usb/run/memory.ts";
import type { BootEnd, BootRuleset } from "../engine/boot-rulesets.ts";

export type RestoreTable = Pick<KernelTable, "inspect" | "isComplete" | "apply" | "replace" | "collect">;

export type NetworkRestore =
	/** `loaded`: now. `present`: a ruleset of ours was in force already. `unfiltered`: it holds no rules for packets. */
	| { readonly result: "loaded" | "unfiltered"; readonly origin: string }
	| { readonly result: "present" }
	| { readonly result: "none"; readonly end: BootEnd };

/**
 * Loads the first ruleset that the kernel takes, unless one of ours is in force. Packets are unfiltered until all of
 * it is there, and then meet all of it; a table of ours that is incomplete is closed meanwhile.
 * @param found told of the newest ruleset that can be read, before anything is loaded: what it says about devices holds
 * also where the kernel refuses its rules.
 * @param problem told why a ruleset is passed over.
 */
export function restoreNetwork(
	table: RestoreTable,
	rulesets: Generator<BootRuleset, BootEnd>,
	found: (ruleset: BootRuleset) => void,
	problem: (message: string) => void,
): NetworkRestore {
	const inspected = table.inspect();
	if (!inspected.ok) problem(inspected.error);
	const state = inspected.ok ? inspected.state : "absent";
	const whole = state === "ours" && table.isComplete();
	for (let first = true; ; first = false) {
		const next = rulesets.next();
		if (!next.done && first) found(next.value);
		if (whole) return { result: "present" };
		if (next.done) return { result: "none", end: next.value };
		const { plan, origin } = next.value;
		if (plan === null) return { result: "unfiltered", origin };
		const result = state === "ours" ? table.replace(plan) : table.apply(plan);
		if (result.ok) {
			if (result.unadopted !== undefined) problem(`open connections may stall: ${result.unadopted}`);
			return { result: "loaded", origin };
		}
		problem(`${origin} cannot be loaded: ${result.error}`);
		if (result.reason === "foreign") return { result: "none", end: "unusable" };
	}
}

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
