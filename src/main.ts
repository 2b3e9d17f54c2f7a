/** The composition root: constructs every Worker, and gives the commands the process. */

import { writeSync } from "node:fs";
import { type Command, exit, type Io, wantsColour } from "./cli/command.ts";
import { closeInherited } from "./cli/descriptors.ts";
import { dispatch } from "./cli/dispatch.ts";
import type { WorkerName } from "./daemon/daemon-options.ts";

/** In the compiled file a Worker's path is relative to this module, so these lines can stand nowhere else. */
function createWorker(name: WorkerName): Worker {
	switch (name) {
		case "policy":
			return new Worker(new URL("./daemon/policy.worker.ts", import.meta.url));
		case "nft":
			return new Worker(new URL("./enforcers/network/run/nft.worker.ts", import.meta.url));
		case "nflog":
			return new Worker(new URL("./enforcers/network/observe/nflog.worker.ts", import.meta.url));
		case "drift":
			return new Worker(new URL("./enforcers/network/observe/drift.worker.ts", import.meta.url));
		case "history":
			return new Worker(new URL("./enforcers/network/run/history/history.worker.ts", import.meta.url));
		case "uevent":
			return new Worker(new URL("./enforcers/usb/observe/uevent.worker.ts", import.meta.url));
		case "usb":
			return new Worker(new URL("./enforcers/usb/run/usb.worker.ts", import.meta.url));
		case "sinks":
			return new Worker(new URL("./sinks/sinks.worker.ts", import.meta.url));
		case "grpc":
			return new Worker(new URL("./serve/grpc/grpc.worker.ts", import.meta.url));
	}
}

const stdoutFd = 1;
const stderrFd = 2;

/** A long answer comes in many pieces, and new memory for the bytes of each takes longer than they. */
const pieceBytes = Buffer.alloc(128 * 1024);
/** A character of a string has at most so many bytes of UTF-8. */
const mostBytes = 3;

function bytesOf(text: string): Buffer {
	if (text.length * mostBytes > pieceBytes.length) return Buffer.from(text);
	return pieceBytes.subarray(0, pieceBytes.write(text));
}

/** Writes everything, also into a pipe that is full for the moment. Returns why it could not. */
function write(fd: number, text: string): { readonly code: unknown; readonly message: string } | null {
	const bytes = bytesOf(text);
	for (let written = 0; written < bytes.length; ) {
		try {
			written += writeSync(fd, bytes, written);
		} catch (error) {
			if (!(error instanceof Error && "code" in error)) throw error;
			if (error.code === "EAGAIN") Bun.sleepSync(1);
			else return { code: error.code, message: error.message };
		}
	}
	return null;
}

/** The daemon, which stays in memory, does without the code of all other commands. */
async function commandsFor([name]: readonly string[]): Promise<readonly Command[]> {
	if (name === "run") {
		const { runCommand } = await import("./cli/run.ts");
		return [runCommand(createWorker, () => closeInherited())];
	}
	const { allCommands } = await import("./cli/commands.ts");
	return allCommands(createWorker, () => closeInherited());
}

async function main(args: readonly string[]): Promise<number> {
	const stop = new AbortController();
	for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop.abort());
	let lost: string | null = null;
	const io: Io = {
		out(text) {
			const failed = write(stdoutFd, text);
			if (failed === null) return;
			// A reader that left has seen enough: no error, but the end of a command that would go on for ever.
			if (failed.code !== "EPIPE") lost = failed.message;
			stop.abort();
		},
		error(text) {
			write(stderrFd, text);
		},
		errorColour: wantsColour(process.stderr.isTTY === true, process.env),
		signal: stop.signal,
	};
	const code = await dispatch(await commandsFor(args), args, io);
	if (lost === null) return code;
	io.error(`portward: the answer could not be written: ${lost}\n`);
	// What another code says, such as that something would change, nobody has read.
	return code === exit.usage ? code : exit.failure;
}

process.exit(await main(process.argv.slice(2)));
