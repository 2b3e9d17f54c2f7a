/** The file of a unix socket: replaced when its process is dead, left alone otherwise. */

import { linkSync, lstatSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** A socket file of ours, known by device and inode. */
export interface SocketFile {
	readonly path: string;
	readonly device: number;
	readonly inode: number;
}

export type SocketClaim =
	| {
			readonly ok: true;
			/** Bind here; then call `publish`. */
			readonly temporary: string;
			/** Gives the bound socket its own path. Throws when the path came to exist meanwhile. */
			publish(): SocketFile | null;
	  }
	| { readonly ok: false; readonly message: string; readonly hint: string };

async function answers(path: string): Promise<boolean> {
	try {
		const socket = await Bun.connect({ unix: path, socket: { data() {} } });
		socket.terminate();
		return true;
	} catch (error) {
		// Only a refusal proves that nobody listens; whatever else happens, the file is not ours to remove.
		return !(error instanceof Error && "code" in error && error.code === "ECONNREFUSED");
	}
}

function identify(path: string): SocketFile | null {
	const stat = lstatSync(path, { throwIfNoEntry: false });
	return stat?.isSocket() ? { path, device: stat.dev, inode: stat.ino } : null;
}

/**
 * Makes sure that `path` can be bound: removes a dead process's socket, refuses anything else. `tag` keeps apart two
 * threads that bind in one directory at the same time.
 */
export async function claimSocketPath(path: string, tag = ""): Promise<SocketClaim> {
	const stat = lstatSync(path, { throwIfNoEntry: false });
	if (stat !== undefined) {
		if (!stat.isSocket()) {
			return {
				ok: false,
				message: `${path} exists and is not a socket`,
				hint: "remove it, or set status.address to another path",
			};
		}
		if (await answers(path)) {
			return {
				ok: false,
				message: `another process listens on ${path}`,
				hint: "stop it, or set status.address to another path",
			};
		}
		rmSync(path, { force: true });
	}
	// Bun removes the path it bound when it stops, whatever file bears that name by then. So it
	// binds another name, and only release, which knows our socket, removes the real one.
	const temporary = join(dirname(path), `.portward-${process.pid}${tag}`);
	rmSync(temporary, { force: true });
	return {
		ok: true,
		temporary,
		publish() {
			linkSync(temporary, path);
			rmSync(temporary, { force: true });
			return identify(path);
		},
	};
}

/** Removes our socket file, unless the path has come to name another. */
export function releaseSocketPath(file: SocketFile): void {
	try {
		const now = identify(file.path);
		if (now?.inode === file.inode && now.device === file.device) rmSync(file.path, { force: true });
	} catch {
		// Its disk has become read-only. The next start replaces it, as that of a process that died.
	}
}
