/** The descriptors that the daemon starts with: enough of them, and none that whoever started it left open. */

import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { raiseDescriptorLimit } from "../../ffi/limits.ts";

/** For all connections that are served at once, sockets, Workers and files. */
const wanted = 1024;
/** Without clients the daemon needs some fifty. */
const least = 128;

/** Why the daemon would run out of descriptors before it enforces anything, or null. */
export function lackOfDescriptors(): string | null {
	const limit = raiseDescriptorLimit(wanted);
	// Where nobody can tell, it is tried.
	if (!limit.ok || limit.soft >= least) return null;
	return (
		`this process may open ${limit.soft} files, and portward needs ${least}: ` +
		"raise the limit (ulimit -n, LimitNOFILE= of the unit)"
	);
}

/**
 * Closes what was inherited: a terminal, a lock or another service's socket that stayed open would be held for the
 * daemon's life. To be called before the process opens anything for itself; the runtime's own are anonymous inodes.
 *
 * @param close tests have descriptors of their own, which are not to be closed
 */
export function closeInherited(close: (descriptor: number) => void = closeSync): void {
	for (const name of readdirSync("/proc/self/fd")) {
		const descriptor = Number(name);
		if (descriptor <= 2) continue;
		try {
			if (!readlinkSync(`/proc/self/fd/${name}`).startsWith("anon_inode:")) close(descriptor);
		} catch (error) {
			// The one by which the directory was read is closed already.
			if (!(error instanceof Error && "code" in error)) throw error;
		}
	}
}
