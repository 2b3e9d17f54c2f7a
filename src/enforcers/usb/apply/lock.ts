/**
 * The lock: what the kernel authorizes by itself when a device, a controller or
 * an interface appears (Documentation/usb/authorization.rst). Each value is
 * read and kept before it is changed.
 */

import { type SysfsWriter, setDefault } from "./authorize.ts";

/** For controllers to come: -1 all but wireless ones, 0 none, 1 all, 2 internal ones. */
const moduleParameter = "module/usbcore/parameters/authorized_default";

const devices = "bus/usb/devices";

export interface LockFiles extends SysfsWriter {
	realPath(path: string): string | null;
}

/** The values before the lock. Plain data, kept in the state directory. */
export interface PriorDefaults {
	/** Null where the kernel has no such parameter. */
	readonly module: string | null;
	/** By the controller's path below /sys, as bus numbers change. */
	readonly controllers: Readonly<
		Record<string, { readonly devices: string; readonly interfaces: string | null }>
	>;
}

/** What is in force now, with what `known` already says taking precedence: it was read before we changed anything. */
export function readDefaults(files: LockFiles, known: PriorDefaults | null): PriorDefaults {
	const controllers: Record<string, { devices: string; interfaces: string | null }> = {
		...known?.controllers,
	};
	for (const bus of rootHubs(files)) {
		const path = files.realPath(`${devices}/${bus}`);
		const current = files.readText(`${devices}/${bus}/authorized_default`);
		if (path === null || current === null || Object.hasOwn(controllers, path)) continue;
		// A controller that came while the module parameter was ours has our default, not its own.
		controllers[path] =
			known === null
				? {
						devices: current,
						interfaces: files.readText(`${devices}/${bus}/interface_authorized_default`),
					}
				: derived(known.module);
	}
	return { module: known === null ? files.readText(moduleParameter) : known.module, controllers };
}

export type LockResult = {
	/** Root hubs whose defaults were not closed already. */
	readonly closed: readonly string[];
	/** What could not be written; empty when everything is locked. */
	readonly errors: readonly string[];
};

/** Locks the machine: the controllers to come first, then every one that is there. */
export function lockAll(files: LockFiles): LockResult {
	const errors: string[] = [];
	if (files.readText(moduleParameter) !== null) {
		const written = setDefault(files, moduleParameter, "0");
		if (!written.ok) errors.push(written.error);
	}
	const results = rootHubs(files).map((bus) => ({ bus, result: lockController(files, bus) }));
	return {
		closed: results.filter(({ result }) => result.changed).map(({ bus }) => bus),
		errors: [...errors, ...results.flatMap(({ result }) => (result.error === "" ? [] : [result.error]))],
	};
}

/** Locks one controller by its root hub, `usb3`. Interfaces first: a device must never find them open. */
export function lockController(files: LockFiles, bus: string): { changed: boolean; error: string } {
	let changed = false;
	let error = "";
	for (const attribute of ["interface_authorized_default", "authorized_default"]) {
		const path = `${devices}/${bus}/${attribute}`;
		const current = files.readText(path);
		// Linux before 4.4 knows no authorization of interfaces; a vanished controller knows nothing at all.
		if (current === null || current === "0") continue;
		const written = files.write(path, "0");
		changed = true;
		if (!written.ok && written.reason !== "gone") error = written.error;
	}
	return { changed, error };
}

/** Puts back what was in force before the lock. Returns what could not be written. */
export function unlockAll(files: LockFiles, prior: PriorDefaults): readonly string[] {
	const errors: string[] = [];
	const put = (path: string, value: string | null): void => {
		if (value === null || files.readText(path) === null) return;
		const written = setDefault(files, path, value);
		if (!written.ok && written.reason !== "gone") errors.push(written.error);
	};
	put(moduleParameter, prior.module);
	for (const bus of rootHubs(files)) {
		const path = files.realPath(`${devices}/${bus}`);
		const known =
			path !== null && Object.hasOwn(prior.controllers, path) ? prior.controllers[path] : undefined;
		const { devices: device, interfaces } = known ?? derived(prior.module);
		put(`${devices}/${bus}/authorized_default`, device);
		put(`${devices}/${bus}/interface_authorized_default`, interfaces);
	}
	return errors;
}

/** What a controller comes up with under a module parameter. */
function derived(module: string | null): { devices: string; interfaces: string } {
	return { devices: module === "0" || module === "2" ? module : "1", interfaces: "1" };
}

function rootHubs(files: Pick<LockFiles, "list">): string[] {
	return files.list(devices).filter((name) => /^usb\d{1,5}$/.test(name));
}
