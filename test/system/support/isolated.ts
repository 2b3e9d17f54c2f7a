/**
 * Puts the calling thread of the test into a fresh network namespace, so that
 * what it opens, the Workers that it starts and the processes that it spawns
 * see their own nftables and interfaces, never the host's.
 */

import { closeSync, openSync } from "node:fs";
import { openLibrary } from "../../../ffi/library.ts";
import type { Namespace } from "./netns.ts";

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000;
const CLONE_NEWUTS = 0x04000000;

export interface IsolatedNetwork {
	/** Puts the thread back into the namespace that it came from. */
	leave(): void;
}

/** Moves this thread into a new network namespace and brings its loopback up. */
export function enterIsolatedNetwork(): IsolatedNetwork {
	const network = enter((libc) => libc.unshare(CLONE_NEWNET));
	command("ip", "link", "set", "lo", "up");
	return network;
}

/** Moves this thread into a UTS namespace of its own, whose host name is the test's. */
export function enterOwnHostName(): IsolatedNetwork {
	return enter((libc) => libc.unshare(CLONE_NEWUTS), "uts", CLONE_NEWUTS);
}

/** Moves this thread into a network namespace that a test has made. */
export function joinNetwork({ path }: Pick<Namespace, "path">): IsolatedNetwork {
	const namespace = openSync(path, "r");
	try {
		return enter((libc) => libc.setns(namespace, CLONE_NEWNET));
	} finally {
		closeSync(namespace);
	}
}

interface Moves {
	unshare(flags: number): number;
	setns(descriptor: number, type: number): number;
}

function enter(move: (libc: Moves) => number, kind = "net", flag = CLONE_NEWNET): IsolatedNetwork {
	const libc = openLibrary(
		{ fileNames: ["libc.so.6"], remedy: "run the tests on a glibc system" },
		{ unshare: { args: ["int"], returns: "int" }, setns: { args: ["int", "int"], returns: "int" } },
	);
	if (!libc.ok) throw new Error(libc.reason);
	const home = openSync(`/proc/thread-self/ns/${kind}`, "r");
	if (move(libc.symbols) !== 0) throw new Error("another namespace was refused");
	return {
		leave() {
			if (libc.symbols.setns(home, flag) !== 0) throw new Error("setns back was refused");
			closeSync(home);
		},
	};
}

/** Runs a program in the namespace and gives its standard output; throws with its error text when it fails. */
export function command(...argv: string[]): string {
	const result = Bun.spawnSync(argv, { stdout: "pipe", stderr: "pipe" });
	if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr.toString()}`);
	return result.stdout.toString();
}

/** Waits until `condition` holds, looking every 5 ms; throws once `milliseconds` have gone by. */
export async function until(condition: () => boolean, what: string, milliseconds = 60_000): Promise<void> {
	const deadline = Date.now() + milliseconds;
	while (!condition()) {
		if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain: ${what}`);
		await Bun.sleep(5);
	}
}
