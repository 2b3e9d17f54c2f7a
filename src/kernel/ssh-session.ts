/**
 * The SSH connection that a process belongs to: sshd tells what it starts in
 * SSH_CONNECTION (ssh(1)). A shell of another user in between may have dropped
 * it, so ancestors are asked too. A process's user can write anything there, so
 * it says whom to warn and never whom to trust; src/kernel/ssh-proof.ts asks the
 * kernel.
 */

import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { formatAddress, parseAddress } from "../base/cidr.ts";
import type { Family } from "../base/model.ts";

export interface SshSession {
	/** Client's address and port, then the server's, as SSH_CONNECTION has them. */
	readonly connection: string;
	/** Seconds since boot at which the oldest known process of the connection started. */
	readonly opened: number;
	/** No sshd that the process descends from holds the connection, as far as can be seen: anybody may have named it. */
	readonly unproven?: true;
}

/** Both ends as canonical addresses. */
export interface SshEnds {
	readonly family: Family;
	readonly client: string;
	readonly clientPort: number;
	readonly server: string;
	readonly serverPort: number;
}

/** Of an environment; what the kernel lets a process be started with by default is less. */
const maxEnvironment = 4 * 1024 * 1024;
export const maxAncestors = 256;
/** USER_HZ, in which /proc counts on every architecture (proc_pid_stat(5)). */
export const ticksPerSecond = 100;

/** The nearest session among a process and its ancestors; null where none is found or may be read. */
export function findSshSession(pid: number, proc = "/proc"): SshSession | null {
	let found: string | null = null;
	let opened = 0;
	let at = pid;
	for (let step = 0; step < maxAncestors && at > 0; step++) {
		const stat = readStat(`${proc}/${at}/stat`);
		if (stat === null) break;
		const connection = readVariable(`${proc}/${at}/environ`, "SSH_CONNECTION");
		if (connection !== null && parseSshConnection(connection) !== null) {
			if (found !== null && found !== connection) break;
			found = connection;
			opened = stat.startTicks / ticksPerSecond;
		} else if (found !== null && servesOneConnection(`${proc}/${at}/cmdline`)) {
			// A connection that is shared (ControlMaster of ssh_config(5)) is older than the shells that are in it.
			opened = stat.startTicks / ticksPerSecond;
		}
		at = stat.parent;
	}
	return found === null ? null : { connection: found, opened };
}

/** Null for what sshd does not write. A zone (`%eth0`) is left out. */
export function parseSshConnection(text: string): SshEnds | null {
	const [client = "", clientPort = "", server = "", serverPort = "", ...rest] = text.split(" ");
	const from = parseAddress(client.replace(/%.*$/, ""));
	const to = parseAddress(server.replace(/%.*$/, ""));
	if ("message" in from || "message" in to || from.family !== to.family || rest.length > 0) return null;
	if (![clientPort, serverPort].every((port) => /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535))
		return null;
	return {
		family: from.family,
		client: formatAddress(from.family, from.value),
		clientPort: Number(clientPort),
		server: formatAddress(to.family, to.value),
		serverPort: Number(serverPort),
	};
}

/** Fields 4 and 22 of proc_pid_stat(5), which stand behind the name in parentheses. */
export function readStat(path: string): { readonly parent: number; readonly startTicks: number } | null {
	const text = read(() => readFileSync(path, "latin1"));
	const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
	const parent = Number(fields?.[1]);
	const startTicks = Number(fields?.[19]);
	return Number.isSafeInteger(parent) && Number.isSafeInteger(startTicks) ? { parent, startTicks } : null;
}

/** By the title that sshd gives its processes: one that listens says so, or has its own path for a title. */
function servesOneConnection(path: string): boolean {
	const title = read(() => readBounded(path)) ?? "";
	return /^sshd(?:-session|-auth)?: /u.test(title) && !title.includes("[listener]");
}

function readVariable(path: string, name: string): string | null {
	const text = read(() => readBounded(path));
	const line = text?.split("\0").find((entry) => entry.startsWith(`${name}=`));
	return line === undefined ? null : line.slice(name.length + 1);
}

function readBounded(path: string): string {
	const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
	try {
		const chunks: Buffer[] = [];
		for (let length = 0; length < maxEnvironment; ) {
			const chunk = Buffer.alloc(64 * 1024);
			const count = readSync(descriptor, chunk, 0, chunk.length, null);
			if (count === 0) break;
			chunks.push(chunk.subarray(0, count));
			length += count;
		}
		return Buffer.concat(chunks).toString("latin1");
	} finally {
		closeSync(descriptor);
	}
}

/** Null where the process is gone, or another user's. */
function read(file: () => string): string | null {
	try {
		return file();
	} catch (error) {
		if (error instanceof Error && "code" in error) return null;
		throw error;
	}
}
