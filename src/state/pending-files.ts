/**
 * The steps on disk of which pending changes are made. Each is one call, so
 * that a test can end the process between any two of them.
 */

import { constants } from "node:fs";
import { chmod, chown, mkdir, open, rename, rm, rmdir, unlink } from "node:fs/promises";
import { removeState, writeState } from "./state-file.ts";

/** Every call rejects with the system's error. */
export interface FileOperations {
	/** Makes a directory, and those above it that are missing. */
	makeDirectory(path: string, mode: number): Promise<void>;
	/** Writes a file that must not exist; with `sync` to the disk. */
	writeFile(path: string, bytes: Uint8Array, mode: number, sync: boolean): Promise<void>;
	/** Puts everything that was written to the file system of a directory on its disk. */
	syncFileSystem(directory: string): Promise<void>;
	/** Puts the entries of a directory on the disk. */
	syncDirectory(path: string): Promise<void>;
	setOwner(
		path: string,
		owner: { readonly uid: number; readonly gid: number; readonly mode: number },
	): Promise<void>;
	rename(from: string, to: string): Promise<void>;
	/** Both paths exist; they change places. */
	exchange(one: string, other: string): Promise<void>;
	removeFile(path: string): Promise<void>;
	removeEmptyDirectory(path: string): Promise<void>;
	/** With everything below it; what is not there is no error. */
	removeTree(path: string): Promise<void>;
	/** As state-file.ts writes it. */
	writeState(path: string, value: unknown): Promise<void>;
	removeState(path: string): Promise<void>;
}

export type Exchange = (
	one: string,
	other: string,
) => { readonly ok: true } | { readonly ok: false; readonly error: string };

/** The real ones, but for what Bun has no call for. */
export function fileOperations(
	exchange: Exchange,
	syncFileSystem: FileOperations["syncFileSystem"],
): FileOperations {
	return {
		syncFileSystem,
		async makeDirectory(path, mode) {
			// The mode counts whatever the process's umask says.
			if ((await mkdir(path, { recursive: true, mode })) !== undefined) await chmod(path, mode);
		},
		async writeFile(path, bytes, mode, sync) {
			const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
			const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
			try {
				await file.chmod(mode);
				await file.writeFile(bytes);
				if (sync) await file.sync();
			} finally {
				await file.close();
			}
		},
		async syncDirectory(path) {
			const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
			try {
				await directory.sync();
			} finally {
				await directory.close();
			}
		},
		async setOwner(path, { uid, gid, mode }) {
			await chown(path, uid, gid).catch((error) => {
				// Without CAP_CHOWN it stays root's own, which shuts nobody out of root's work.
				if (!(error instanceof Error && "code" in error && error.code === "EPERM")) throw error;
			});
			await chmod(path, mode);
		},
		rename,
		async exchange(one, other) {
			const exchanged = exchange(one, other);
			if (!exchanged.ok) throw new Error(exchanged.error);
		},
		removeFile: unlink,
		removeEmptyDirectory: rmdir,
		async removeTree(path) {
			await rm(path, { recursive: true, force: true });
		},
		async writeState(path, value) {
			const error = writeState(path, value);
			if (error !== null) throw new Error(error);
		},
		async removeState(path) {
			const error = removeState(path);
			if (error !== null) throw new Error(error);
		},
	};
}

/** Why something failed, for a person to read. A bug is thrown on. */
export function systemError(error: unknown): string {
	if (error instanceof TypeError || error instanceof RangeError) throw error;
	return error instanceof Error ? error.message : String(error);
}

/** Whether the system said that there is no such file. */
export function isAbsent(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}
