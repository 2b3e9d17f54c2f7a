/**
 * Whether an SSH session is what its environment says. SSH_CONNECTION can be set
 * by hand; what cannot is that the kernel has this connection open, that sshd
 * holds its socket, and that sshd is an ancestor of the process.
 */

import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { SocketOwners } from "./socket-owner.ts";
import {
	findSshSession,
	maxAncestors,
	parseSshConnection,
	readStat,
	type SshSession,
	ticksPerSecond,
} from "./ssh-session.ts";

/** Since OpenSSH 9.8 a connection is served by a program of its own. */
const servers: readonly string[] = ["sshd", "sshd-session"];

/** The session of a process, and whether it is proven. Null where none is found or may be read. */
export function checkedSshSession(pid: number): SshSession | null {
	const session = findSshSession(pid);
	if (session === null) return null;
	const inode = connectionInode(session.connection);
	const since = inode === null ? null : sshdHolds(pid, inode);
	// An sshd serves one connection; whatever else it holds came about over that.
	return since === null
		? { ...session, unproven: true }
		: { ...session, opened: Math.min(session.opened, since) };
}

/** The inode of the established connection's socket in this network namespace; null where there is none. */
function connectionInode(connection: string): number | null {
	const ends = parseSshConnection(connection);
	if (ends === null) return null;
	const zone = /%(\S+)/u.exec(connection)?.[1];
	const owners = new SocketOwners();
	const found = owners.find({
		local: ends.server,
		localPort: ends.serverPort,
		remote: ends.client,
		remotePort: ends.clientPort,
		interfaceIndex: zone === undefined ? 0 : interfaceIndex(zone),
	});
	owners.close();
	return found?.established === true && found.inode > 0 ? found.inode : null;
}

/**
 * Seconds since boot at which the process started that runs sshd, is root's as its file is, holds the socket, and is an
 * ancestor of `pid`; null where there is none. @param proc where the kernel shows its processes
 */
export function sshdHolds(pid: number, inode: number, proc = "/proc"): number | null {
	let at = pid;
	for (let step = 0; step < maxAncestors && at > 0; step++) {
		const stat = readStat(`${proc}/${at}/stat`);
		if (stat === null) return null;
		if (isSshd(`${proc}/${at}`) && holds(`${proc}/${at}/fd`, inode)) return stat.startTicks / ticksPerSecond;
		at = stat.parent;
	}
	return null;
}

function isSshd(process: string): boolean {
	return attempt(() => {
		// A program whose package was upgraded since is marked so (proc_pid_exe(5)).
		const program = basename(readlinkSync(`${process}/exe`).replace(/ \(deleted\)$/u, ""));
		if (!servers.includes(program)) return false;
		const file = statSync(`${process}/exe`);
		return statSync(process).uid === 0 && file.uid === 0 && (file.mode & 0o022) === 0;
	});
}

function holds(directory: string, inode: number): boolean {
	return attempt(() =>
		readdirSync(directory).some((fd) =>
			attempt(() => readlinkSync(`${directory}/${fd}`) === `socket:[${inode}]`),
		),
	);
}

/** 0 for an interface that is not there. */
function interfaceIndex(name: string): number {
	if (!/^[^/\s]{1,15}$/u.test(name) || name.startsWith(".")) return 0;
	let index = 0;
	attempt(() => {
		index = Number(readFileSync(`/sys/class/net/${name}/ifindex`, "latin1"));
		return true;
	});
	return Number.isSafeInteger(index) ? index : 0;
}

/** False where the process or the file is gone, or may not be read. */
function attempt(look: () => boolean): boolean {
	try {
		return look();
	} catch (error) {
		if (error instanceof Error && "code" in error) return false;
		throw error;
	}
}
