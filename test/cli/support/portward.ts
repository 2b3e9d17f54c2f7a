/** The commands in this process, with what they print kept. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Command, Io } from "../../../src/cli/command.ts";
import { allCommands } from "../../../src/cli/commands.ts";
import { dispatch } from "../../../src/cli/dispatch.ts";

export const commands: readonly Command[] = allCommands(() => {
	throw new Error("these tests start no daemon");
});

export class CapturedIo implements Io {
	out_ = "";
	error_ = "";
	readonly errorColour: boolean;
	readonly #stop = new AbortController();

	constructor(errorColour = false) {
		this.errorColour = errorColour;
	}

	get signal(): AbortSignal {
		return this.#stop.signal;
	}

	readonly out = (text: string): void => {
		this.out_ += text;
	};

	readonly error = (text: string): void => {
		this.error_ += text;
	};

	/** As SIGINT does. */
	interrupt(): void {
		this.#stop.abort();
	}
}

export interface Ended {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

/** Runs `portward ARGS` to its end. */
export async function portward(...args: readonly string[]): Promise<Ended> {
	const io = new CapturedIo();
	const code = await dispatch(commands, args, io);
	return { code, out: io.out_, error: io.error_ };
}

/** A directory of files that goes with the test. */
export class Files implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), "portward-cli-"));

	constructor(files: Readonly<Record<string, string>> = {}) {
		for (const [name, text] of Object.entries(files)) this.put(name, text);
	}

	/** Writes a file and gives its path. */
	put(name: string, text: string): string {
		const path = join(this.path, name);
		mkdirSync(dirname(path), { recursive: true });
		writeFileSync(path, text);
		return path;
	}

	/** Settings that do not depend on what the machine has in /etc. */
	config(settings: Readonly<Record<string, unknown>> = {}): string {
		return this.put(".config", JSON.stringify(settings));
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}
