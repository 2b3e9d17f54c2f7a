/** Replaces files of a directory that others read, each in one rename and all of them on the disk. */

import {
	closeSync,
	constants,
	fchmodSync,
	fsyncSync,
	openSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";

export interface NewFile {
	readonly name: string;
	readonly bytes: Uint8Array;
}

/** Readable by all. Every file is whole on the disk before the first one is seen. Returns an error text, or null. */
export function replaceFiles(directory: string, files: readonly NewFile[]): string | null {
	const temporary = ({ name }: NewFile) =>
		join(directory, `.new.${process.pid}.${name.replaceAll("/", "_")}`);
	try {
		for (const file of files) write(temporary(file), file.bytes);
		for (const file of files) renameSync(temporary(file), join(directory, file.name));
		sync(directory);
		return null;
	} catch (error) {
		for (const file of files) rmSync(temporary(file), { force: true });
		if (!(error instanceof Error && "code" in error)) throw error;
		return error.message;
	}
}

function write(path: string, bytes: Uint8Array): void {
	const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
	const descriptor = openSync(path, flags, 0o644);
	try {
		// Whatever the umask is: the daemon and its administrators read it, and nobody else may write it.
		fchmodSync(descriptor, 0o644);
		writeFileSync(descriptor, bytes);
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

function sync(directory: string): void {
	const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
