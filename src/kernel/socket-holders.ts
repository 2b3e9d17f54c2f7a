/** Which processes hold a socket, and which units of systemd they belong to, from /proc (proc(5), cgroups(7)). */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export interface SocketHolder {
	readonly pid: number;
	/** The first 15 bytes of the command's name. */
	readonly process: string;
	/** Such as `postgresql.service`; null where the process belongs to none. */
	readonly unit: string | null;
}

/**
 * The holders of sockets by inode, as far as this user may look. systemd holds what it listens to on behalf of a
 * service, so where another one holds it as well it is that one.
 * @param root where proc is mounted.
 */
export function socketHolders(
	inodes: ReadonlySet<number>,
	root = "/proc",
): ReadonlyMap<number, SocketHolder> {
	const held = new Map<number, number>();
	const pids = names(root)
		.flatMap((name) => (/^\d+$/u.test(name) ? [Number(name)] : []))
		.sort((a, b) => b - a);
	for (const pid of pids) {
		for (const descriptor of names(join(root, String(pid), "fd"))) {
			const inode = socketInode(join(root, String(pid), "fd", descriptor));
			// The lowest number is the eldest, and comes last; systemd's own is asked when there is no other.
			if (inode !== null && inodes.has(inode) && (pid !== 1 || !held.has(inode))) held.set(inode, pid);
		}
	}
	return new Map([...held].map(([inode, pid]) => [inode, holder(root, pid)]));
}

function holder(root: string, pid: number): SocketHolder {
	const folder = join(root, String(pid));
	return { pid, process: read(join(folder, "comm")).trimEnd(), unit: unitOf(read(join(folder, "cgroup"))) };
}

/** The innermost unit of the lines of /proc/PID/cgroup: of the one hierarchy, or of systemd's own beside others. */
export function unitOf(text: string): string | null {
	const lines = text.split("\n");
	const path = [/^0::(.*)$/u, /^\d+:name=systemd:(.*)$/u]
		.flatMap((form) => lines.flatMap((line) => form.exec(line)?.[1] ?? []))
		.find((one) => one !== "" && one !== "/");
	return path?.split("/").findLast((part) => /\.(?:service|scope|socket)$/u.test(part)) ?? null;
}

function socketInode(path: string): number | null {
	try {
		const inode = /^socket:\[(\d+)\]$/u.exec(readlinkSync(path))?.[1];
		return inode === undefined ? null : Number(inode);
	} catch {
		return null;
	}
}

function names(path: string): string[] {
	try {
		return readdirSync(path);
	} catch {
		return [];
	}
}

function read(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}
