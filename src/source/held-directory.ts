/**
 * A directory by its descriptor. Who exchanges a parent, or the directory,
 * while it is read changes the name and not what is read. On the way to it
 * every directory is checked as sshd's StrictModes does it: who can write to
 * one of them decides what the path means.
 */

import {
	closeSync,
	constants,
	type Dirent,
	fstatSync,
	openSync,
	readdirSync,
	readlinkSync,
	realpathSync,
	type Stats,
} from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { distrust, distrustParent } from "./permissions.ts";

/** linux/fcntl.h: a descriptor that says where, and opens nothing. */
const O_PATH = 0o10000000;

/** As ELOOP of path_resolution(7). */
const maxLinks = 40;

const sticky = 0o1000;
const writableByOthers = 0o022;

export interface HeldFailure {
	readonly ok: false;
	/** `absent`: it, or a directory on the way, does not exist. */
	readonly reason: "absent" | "untrusted" | "unreadable";
	readonly message: string;
	readonly hint: string;
}

export type HeldOpen = { readonly ok: true; readonly directory: HeldDirectory } | HeldFailure;

export interface HeldOptions {
	/** False with --insecure-permissions: nothing is checked, and the descriptor is held all the same. */
	readonly checkPermissions: boolean;
	/** The last one is on the way as well: to a file, whose own owner is checked elsewhere. */
	readonly onTheWay?: boolean;
}

export class HeldDirectory implements Disposable {
	readonly #descriptor: number;
	/** The name by which it was opened, for people. */
	readonly path: string;

	private constructor(descriptor: number, path: string) {
		this.#descriptor = descriptor;
		this.path = path;
	}

	/**
	 * Walks from the root to `path`, through links as well, and checks each directory on the way and the last one.
	 * @param what begins the sentence about the last one: "the policy directory".
	 */
	static open(path: string, what: string, options: HeldOptions): HeldOpen {
		const stack: HeldDirectory[] = [];
		try {
			return walk(resolve(path), what, options, stack);
		} catch (error) {
			return failure(error, `${what} cannot be read`);
		} finally {
			for (const passed of stack) passed[Symbol.dispose]();
		}
	}

	/** Opens one entry, which must be a directory and no link. @throws the system's error */
	enter(name: string): HeldDirectory {
		const descriptor = openSync(this.at(name), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
		return new HeldDirectory(descriptor, join(this.path, name));
	}

	/** The root of all directories. @throws the system's error */
	static root(): HeldDirectory {
		return new HeldDirectory(openSync(sep, O_PATH | constants.O_DIRECTORY), sep);
	}

	/** A path to an entry that means this very directory, whatever its name leads to by now. */
	at(name: string): string {
		return `/proc/self/fd/${this.#descriptor}/${name}`;
	}

	/** What the entry is, links not followed; null where there is none. @throws any other error of the system */
	look(name: string): Stats | null {
		let descriptor: number;
		try {
			descriptor = openSync(this.at(name), O_PATH | constants.O_NOFOLLOW);
		} catch (error) {
			if (errorCode(error) === "ENOENT") return null;
			throw error;
		}
		try {
			return fstatSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
	}

	/** In no order. @throws the system's error */
	entries(): Dirent[] {
		return readdirSync(`/proc/self/fd/${this.#descriptor}`, { withFileTypes: true });
	}

	/** Where it lies now. @throws the system's error */
	currentPath(): string {
		return readlinkSync(`/proc/self/fd/${this.#descriptor}`);
	}

	/** @throws the system's error */
	stats(): Stats {
		return fstatSync(this.#descriptor);
	}

	[Symbol.dispose](): void {
		closeSync(this.#descriptor);
	}
}

/**
 * Why a directory must not be believed, as one sentence with the remedy, or null: it, or a directory on the way to it,
 * can be written by others than root. What does not exist yet is only as good as the way to it.
 */
export function distrustDirectory(path: string, what: string): string | null {
	const opened = HeldDirectory.open(path, what, { checkPermissions: true });
	if (opened.ok) opened.directory[Symbol.dispose]();
	return opened.ok || opened.reason !== "untrusted" ? null : `${opened.message}; ${opened.hint}`;
}

/** The same of the way to a file, through links as well; the file itself is not looked at. Null for what is no file. */
export function distrustWay(file: string, what: string): { message: string; hint: string } | null {
	const ways = new Set([dirname(resolve(file))]);
	try {
		ways.add(dirname(realpathSync(file)));
	} catch (error) {
		// A pipe has no name, and what does not exist is said where it is opened.
		if (errorCode(error) === null) throw error;
	}
	for (const way of ways) {
		const opened = HeldDirectory.open(way, what, { checkPermissions: true, onTheWay: true });
		if (opened.ok) opened.directory[Symbol.dispose]();
		else if (opened.reason === "untrusted") return { message: opened.message, hint: opened.hint };
	}
	return null;
}

/** Follows `path`; every directory that was passed stays open on the stack, as ".." in a link may lead back. */
function walk(path: string, what: string, options: HeldOptions, stack: HeldDirectory[]): HeldOpen {
	const { checkPermissions, onTheWay = false } = options;
	const rest = path.split(sep).filter((part) => part !== "");
	let here = HeldDirectory.root();
	stack.push(here);
	let links = 0;
	for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
		if (part === "." || part === "") continue;
		if (part === "..") {
			// The root is its own parent.
			if (stack.length > 1) stack.pop()?.[Symbol.dispose]();
			here = stack.at(-1) ?? here;
			continue;
		}
		const refused = checkPermissions ? distrustParent(here.path, what, here.stats()) : null;
		if (refused !== null) return { ok: false, reason: "untrusted", ...refused };
		const found = here.look(part);
		if (found === null)
			return { ok: false, reason: "absent", message: `${what} does not exist: ${path}`, hint: "" };
		if (!found.isSymbolicLink()) {
			here = here.enter(part);
			stack.push(here);
			continue;
		}
		// Where others may make entries, a link belongs to who made it, and leads where he likes.
		if (checkPermissions && found.uid !== 0 && isSticky(here.stats())) {
			const name = join(here.path, part);
			const message = `${name}, a link on the way to ${what}, is owned by user ${found.uid}, not by root`;
			return { ok: false, reason: "untrusted", message, hint: "name the directory that it leads to" };
		}
		links += 1;
		if (links > maxLinks)
			return { ok: false, reason: "unreadable", message: `${what} is behind too many links`, hint: "" };
		const target = readlinkSync(here.at(part));
		rest.unshift(...target.split(sep));
		if (target.startsWith(sep)) {
			for (const passed of stack.splice(1)) passed[Symbol.dispose]();
			here = stack[0] ?? here;
		}
	}
	const check = () =>
		onTheWay ? distrustParent(here.path, what, here.stats()) : distrust(what, here.stats());
	const refused = checkPermissions ? check() : null;
	if (refused !== null) return { ok: false, reason: "untrusted", ...refused };
	stack.pop();
	return { ok: true, directory: here };
}

function isSticky({ mode }: Stats): boolean {
	return (mode & sticky) !== 0 && (mode & writableByOthers) !== 0;
}

function failure(error: unknown, what: string): HeldFailure {
	const code = errorCode(error);
	if (code === null) throw error;
	const reason = code === "ENOENT" ? ("absent" as const) : ("unreadable" as const);
	return { ok: false, reason, message: `${what}: ${errorText(error)}`, hint: "" };
}

/** The system's name of an error, or null where it is none of the system's. */
export function errorCode(error: unknown): string | null {
	return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/** The system's words for an error, without the path: that of a descriptor says nothing to anybody. */
export function errorText(error: unknown): string {
	const text = error instanceof Error ? error.message : String(error);
	return errorCode(error) === null ? text : text.replace(/, \w+( '.*)?$/su, "");
}
