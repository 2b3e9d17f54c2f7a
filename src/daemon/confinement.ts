/**
 * The daemon gives up, for good, what a guard never needs: to run other programs, to load modules, to mount, to look
 * into other processes, to open other kinds of sockets, and to change files elsewhere than where its settings say.
 * Whoever takes it over through a policy, a packet or a request gets no more than that.
 */

import { mkdirSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type AllowedPath, filterSystemCalls, landlockVersion, restrictFiles } from "../../ffi/confine.ts";
import type { Config } from "../config/model.ts";
import { socketPath } from "../config/values.ts";
import type { Confinement } from "../report/confinement.ts";
import { systemCallFilter } from "./syscall-filter.ts";

/** LANDLOCK_ACCESS_FS_* (linux/landlock.h). */
const EXECUTE = 1 << 0;
const WRITE_FILE = 1 << 1;
/** REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_SYM, REFER. */
const ENTRIES = (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 9) | (1 << 12) | (1 << 13);
/** MAKE_CHAR, MAKE_FIFO, MAKE_BLOCK: nobody needs them, so they are handled and never allowed. */
const SPECIAL = (1 << 6) | (1 << 10) | (1 << 11);
const TRUNCATE = 1 << 14;

/** From this version on a file can be renamed from one directory to another, and from the next on truncation is seen. */
const leastVersion = 2;
const truncateVersion = 3;

/** USB devices are authorized below these; the module that has them may be loaded later. */
const sysfs = ["/sys/devices", "/sys/bus", "/sys/module"];

/** Where standard output and error go: an alert that a terminal reads must not wait for it. */
const outputs = ["/proc/self/fd/1", "/proc/self/fd/2", "/dev/null"];

/** The directories in which the settings let the daemon change files. Absolute; none twice. */
export function writableDirectories(config: Config): readonly string[] {
	const sockets = [config.status.address, config.kubearmorApi.address, config.kubearmorApi.healthAddress];
	const files = [config.alerts.file, ...sockets.map(socketPath)];
	// `portward confirm` exchanges the policy directory for its copy, which lies beside it.
	const beside = dirname(target(config.policyDir));
	return [
		...new Set([beside, config.stateDir, ...files.flatMap((file) => (file === null ? [] : dirname(file)))]),
	];
}

/** Where a path leads, also one that is not there yet. */
function target(path: string): string {
	try {
		return realpathSync(path);
	} catch {
		try {
			return resolve(dirname(path), readlinkSync(path));
		} catch {
			return path;
		}
	}
}

/** The calls of ffi/confine.ts, which a test cannot take back. */
export interface ConfiningKernel {
	readonly filterSystemCalls: typeof filterSystemCalls;
	readonly landlockVersion: typeof landlockVersion;
	readonly restrictFiles: typeof restrictFiles;
}

/** Confines this process, which can never be undone. Threads that are started later are confined as this one is. */
export function confine(
	config: Config,
	kernel: ConfiningKernel = { filterSystemCalls, landlockVersion, restrictFiles },
): Confinement {
	if (config.confinement === "off") {
		const off = { active: false, detail: "confinement is off in the settings" };
		return { systemCalls: off, files: off, writable: [] };
	}
	const writable = writableDirectories(config);
	// What is not there now could not be made later.
	for (const directory of writable) {
		try {
			mkdirSync(directory, { recursive: true, mode: 0o700 });
		} catch {
			// Whoever needs it says why it cannot be had.
		}
	}
	return { files: confineFiles(kernel, writable), systemCalls: confineCalls(kernel), writable };
}

function confineCalls(kernel: ConfiningKernel): Confinement["systemCalls"] {
	const filter = systemCallFilter(process.arch);
	if (filter === null) return { active: false, detail: `no filter is known for ${process.arch}` };
	const set = kernel.filterSystemCalls(filter);
	if (set.ok) return { active: true, detail: "" };
	return { active: false, detail: `the kernel takes no filter: ${set.error}` };
}

function confineFiles(kernel: ConfiningKernel, writable: readonly string[]): Confinement["files"] {
	const version = kernel.landlockVersion();
	if (version === 0) return { active: false, detail: "this kernel has no Landlock, or it is switched off" };
	if (version < leastVersion) {
		return {
			active: false,
			detail: "this kernel's Landlock cannot let files be renamed; 5.19 and later can",
		};
	}
	const truncate = version >= truncateVersion ? TRUNCATE : 0;
	const write = WRITE_FILE | truncate;
	const allowed: AllowedPath[] = [
		...writable.map((path) => ({ path, rights: write | ENTRIES })),
		...[...sysfs, ...outputs].map((path) => ({ path, rights: write })),
	];
	const set = kernel.restrictFiles(EXECUTE | write | ENTRIES | SPECIAL, allowed);
	if (!set.ok) return { active: false, detail: `the kernel takes no rules: ${set.error}` };
	const absent = writable.filter((path) => set.absent.includes(path));
	return {
		active: true,
		detail: absent.length === 0 ? "" : `nothing can be written to ${absent.join(", ")}`,
	};
}
