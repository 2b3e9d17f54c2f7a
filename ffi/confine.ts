/**
 * What a process can give up for good: system calls, by a filter of seccomp(2) that holds for all of its threads, and
 * the right to change or execute files, by landlock(7). Neither can be taken back.
 */

import { ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { type CallResult, Libc } from "./libc.ts";

/** Numbers of system calls: asm/unistd_64.h, asm-generic/unistd.h. */
const numbers: Readonly<Record<string, { readonly prctl: number; readonly seccomp: number }>> = {
	x64: { prctl: 157, seccomp: 317 },
	arm64: { prctl: 167, seccomp: 277 },
};
/** The same on every architecture. */
const landlock = { createRuleset: 444, addRule: 445, restrictSelf: 446 };

/** linux/prctl.h */
const PR_SET_NO_NEW_PRIVS = 38;
/** linux/seccomp.h */
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
/** linux/landlock.h */
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

/** fcntl.h: a descriptor that names a place and opens nothing. */
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** asm-generic/errno.h */
const EBADFD = 77;

/** One instruction of classic BPF (linux/filter.h). */
export interface Instruction {
	readonly code: number;
	readonly jumpTrue: number;
	readonly jumpFalse: number;
	readonly operand: number;
}

type Done = { readonly ok: true } | { readonly ok: false; readonly error: string };

function done(result: CallResult): Done {
	return result.ok ? { ok: true } : result;
}

/** A child never gets more rights than its parent: without it the kernel takes no filter of a process that is not root. */
function noNewPrivileges(libc: Libc): Done {
	const number = numbers[process.arch]?.prctl;
	if (number === undefined) return { ok: false, error: `no numbers of system calls for ${process.arch}` };
	return done(libc.systemCall("prctl", number, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]));
}

/** Puts the filter over every thread of this process, those to come too. At most 4096 instructions. */
export function filterSystemCalls(program: readonly Instruction[]): Done {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const { libc } = library;
	const privileges = noNewPrivileges(libc);
	const number = numbers[process.arch]?.seccomp;
	if (!privileges.ok || number === undefined) return privileges;
	const code = new DataView(new ArrayBuffer(program.length * 8));
	for (const [i, { code: opcode, jumpTrue, jumpFalse, operand }] of program.entries()) {
		code.setUint16(i * 8, opcode, true);
		code.setUint8(i * 8 + 2, jumpTrue);
		code.setUint8(i * 8 + 3, jumpFalse);
		code.setUint32(i * 8 + 4, operand, true);
	}
	// struct sock_fprog: the number of instructions, and where they are.
	const head = new DataView(new ArrayBuffer(16));
	head.setUint16(0, program.length, true);
	head.setBigUint64(8, BigInt(ptr(code)), true);
	const argument = new Uint8Array(head.buffer);
	const set = libc.systemCall("seccomp", number, [
		SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_TSYNC,
		argument,
	]);
	// With TSYNC, a thread that could not be synchronised is no errno but the thread's number.
	if (set.ok && set.value !== 0) return { ok: false, error: `thread ${set.value} has a filter of its own` };
	// The kernel has copied the instructions by now; until then they may not be collected.
	return code.byteLength > 0 ? done(set) : { ok: false, error: "an empty filter" };
}

/** The version of Landlock that the kernel has, from 1 on; 0 where it has none or it is switched off. */
export function landlockVersion(): number {
	const library = Libc.open();
	if (!library.ok) return 0;
	const asked = library.libc.systemCall("landlock_create_ruleset", landlock.createRuleset, [
		0,
		0,
		LANDLOCK_CREATE_RULESET_VERSION,
	]);
	return asked.ok ? asked.value : 0;
}

/** A place in the file system and the rights (LANDLOCK_ACCESS_FS_*) that stay below it. */
export interface AllowedPath {
	readonly path: string;
	readonly rights: number;
}

/**
 * Takes `handled` rights to files from this thread and from all that it will start, except below the allowed paths.
 * A path that does not exist is left out and returned in `absent`.
 */
export function restrictFiles(
	handled: number,
	allowed: readonly AllowedPath[],
):
	| { readonly ok: true; readonly absent: readonly string[] }
	| { readonly ok: false; readonly error: string } {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const { libc } = library;
	const privileges = noNewPrivileges(libc);
	if (!privileges.ok) return privileges;
	const attributes = new DataView(new ArrayBuffer(8));
	attributes.setBigUint64(0, BigInt(handled), true);
	const bytes = new Uint8Array(attributes.buffer);
	const created = libc.systemCall("landlock_create_ruleset", landlock.createRuleset, [
		bytes,
		bytes.length,
		0,
	]);
	if (!created.ok) return created;
	const absent: string[] = [];
	try {
		for (const { path, rights } of allowed) {
			const added = addPath(libc, created.value, path, rights);
			if (added === "absent") absent.push(path);
			else if (!added.ok) return { ok: false, error: `${path}: ${added.error}` };
		}
		const restricted = libc.systemCall("landlock_restrict_self", landlock.restrictSelf, [created.value, 0]);
		return restricted.ok ? { ok: true, absent } : restricted;
	} finally {
		closeSync(created.value);
	}
}

function addPath(libc: Libc, ruleset: number, path: string, rights: number): Done | "absent" {
	let place: number;
	try {
		place = openSync(path, O_PATH | O_CLOEXEC);
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : "";
		if (code === "ENOENT" || code === "ENOTDIR") return "absent";
		return { ok: false, error: error instanceof Error ? error.message : String(error) };
	}
	try {
		// struct landlock_path_beneath_attr, packed: the rights, and the descriptor.
		const rule = new DataView(new ArrayBuffer(12));
		rule.setBigUint64(0, BigInt(rights), true);
		rule.setInt32(8, place, true);
		const added = libc.systemCall("landlock_add_rule", landlock.addRule, [
			ruleset,
			LANDLOCK_RULE_PATH_BENEATH,
			new Uint8Array(rule.buffer),
			0,
		]);
		// A pipe or a socket behind /proc/self/fd is in no directory; Landlock never refuses it.
		return !added.ok && added.errno === EBADFD ? { ok: true } : done(added);
	} finally {
		closeSync(place);
	}
}
