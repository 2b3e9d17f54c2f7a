/**
 * The users and groups of this host by name, from /etc/passwd and /etc/group (passwd(5), group(5)). Directory services
 * are not asked: that would take libraries of theirs, and a firewall must not wait for a network.
 */

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";

export type AccountKind = "user" | "group";

/** Where the files are. */
export interface AccountFiles {
	readonly user: string;
	readonly group: string;
}

export const accountFiles: AccountFiles = { user: "/etc/passwd", group: "/etc/group" };

/** A file of 100 000 users has some 8 MB. Of a longer one nobody is known. */
const mostBytes = 32 * 1024 * 1024;

/** The greatest number that somebody may have. */
const lastNumber = 2 ** 32 - 2;

/** What each file had when it could be read last, for as long as it cannot be. */
const lastRead = new Map<string, ReadonlyMap<string, number>>();

/**
 * The accounts as they are at the first question about each kind. Of a file that has gone, or cannot be read any more,
 * those stay that were in it: a Block of a user does not end because descriptors ran out.
 */
export class HostAccounts {
	readonly #files: AccountFiles;
	readonly #read = new Map<AccountKind, ReadonlyMap<string, number>>();

	constructor(files: AccountFiles = accountFiles) {
		this.#files = files;
	}

	/** The number of a user or a group; null where there is none of the name, or the file never could be read. */
	number(kind: AccountKind, name: string): number | null {
		return this.#of(kind).get(name) ?? null;
	}

	names(kind: AccountKind): readonly string[] {
		return [...this.#of(kind).keys()];
	}

	#of(kind: AccountKind): ReadonlyMap<string, number> {
		const known = this.#read.get(kind) ?? accountsIn(this.#files[kind]);
		this.#read.set(kind, known);
		return known;
	}
}

function accountsIn(path: string): ReadonlyMap<string, number> {
	const text = readWhole(path);
	if (text === null) return lastRead.get(path) ?? new Map();
	const accounts = parseAccounts(text);
	lastRead.set(path, accounts);
	return accounts;
}

/** Equal while neither file changed. */
export function accountsVersion(files: AccountFiles = accountFiles): string {
	return [files.user, files.group].map(versionOf).join(" ");
}

function versionOf(path: string): string {
	try {
		const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
		return [dev, ino, size, mtimeNs, ctimeNs].join(":");
	} catch {
		return "";
	}
}

/**
 * Names and numbers of the lines of passwd(5) or group(5), which have them in the same places. Of a name that stands
 * there twice the first line counts, as for getpwnam(3). What is no line of an account is passed over.
 */
export function parseAccounts(text: string): ReadonlyMap<string, number> {
	const accounts = new Map<string, number>();
	for (let from = 0; from < text.length; ) {
		const newline = text.indexOf("\n", from);
		const end = newline < 0 ? text.length : newline;
		const [name = "", , written = ""] = text.slice(from, Math.min(end, from + 1024)).split(":", 4);
		from = end + 1;
		// Lines of NIS begin with a sign.
		if (!/^[^\s:+#-][^\s:]{0,255}$/.test(name) || !/^\d{1,10}$/.test(written)) continue;
		const number = Number(written);
		if (number <= lastNumber && !accounts.has(name)) accounts.set(name, number);
	}
	return accounts;
}

/** Null where it is no file, is too long, or cannot be read. */
function readWhole(path: string): string | null {
	let descriptor: number;
	try {
		descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch {
		return null;
	}
	try {
		const stats = fstatSync(descriptor);
		if (!stats.isFile() || stats.size > mostBytes) return null;
		const bytes = Buffer.alloc(stats.size);
		let length = 0;
		while (length < bytes.length) {
			const count = readSync(descriptor, bytes, length, bytes.length - length, length);
			if (count === 0) break;
			length += count;
		}
		return bytes.toString("utf8", 0, length);
	} catch {
		return null;
	} finally {
		closeSync(descriptor);
	}
}
