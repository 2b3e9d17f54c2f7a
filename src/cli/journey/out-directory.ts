/** A directory that a command fills: what is there is read, and what is new is written, never through a link. */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, unlinkSync } from "node:fs";
import { errorCode, errorText, HeldDirectory } from "../../source/held-directory.ts";
import { maxFileBytes } from "../../source/policy-directory.ts";
import { replaceFiles } from "../../source/replace-files.ts";

export interface TextFile {
	readonly name: string;
	readonly text: string;
}

export class OutDirectory implements Disposable {
	readonly #held: HeldDirectory;

	private constructor(held: HeldDirectory) {
		this.#held = held;
	}

	/** Makes it where it is not there. A text says why it cannot be had. */
	static open(path: string): OutDirectory | string {
		try {
			mkdirSync(path, { recursive: true });
		} catch (error) {
			if (errorCode(error) === null) throw error;
			return `${path} cannot be made: ${errorText(error)}`;
		}
		const opened = HeldDirectory.open(path, "the directory", { checkPermissions: false });
		return opened.ok ? new OutDirectory(opened.directory) : opened.message;
	}

	/** Names, in order. @throws the system's error */
	names(): readonly string[] {
		return this.#held
			.entries()
			.map(({ name }) => name)
			.sort();
	}

	/** Null where there is none; an Error where it is none that can be read, such as a link. */
	read(name: string): string | null | Error {
		let descriptor: number;
		try {
			const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
			descriptor = openSync(this.#held.at(name), flags);
		} catch (error) {
			const code = errorCode(error);
			if (code === null) throw error;
			if (code === "ENOENT") return null;
			return new Error(`${name} ${code === "ELOOP" ? "is a link" : `cannot be read: ${errorText(error)}`}`);
		}
		try {
			const stats = fstatSync(descriptor);
			if (!stats.isFile()) return new Error(`${name} is no file`);
			if (stats.size > maxFileBytes) return new Error(`${name} has more than ${maxFileBytes} bytes`);
			return readFileSync(descriptor, "utf8");
		} finally {
			closeSync(descriptor);
		}
	}

	/** Each file is replaced in one step. Returns an error text, or null. */
	write(files: readonly TextFile[], removed: readonly string[]): string | null {
		const encoder = new TextEncoder();
		const problem = replaceFiles(
			this.#held.at("."),
			files.map(({ name, text }) => ({ name, bytes: encoder.encode(text) })),
		);
		if (problem !== null) return problem;
		try {
			for (const name of removed) unlinkSync(this.#held.at(name));
			return null;
		} catch (error) {
			if (errorCode(error) === null) throw error;
			return errorText(error);
		}
	}

	[Symbol.dispose](): void {
		this.#held[Symbol.dispose]();
	}
}
