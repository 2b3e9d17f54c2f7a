/** The files of a sink: certificates, keys and what a webhook says of who it is. They are read anew for each connection. */

import { X509Certificate } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { SinkSettings } from "../config/sinks.ts";
import { reasonOf } from "./transport.ts";

export interface SinkTls {
	readonly ca?: string;
	readonly cert?: string;
	readonly key?: string;
}

export type FilesResult<T> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly error: string };

const longestFile = 1024 * 1024;
/** Who has no business with a secret: others than the owner and the group. */
const othersBits = 0o007;

export function readTls({ ca, cert, key }: SinkSettings["tls"]): FilesResult<SinkTls> {
	try {
		return {
			ok: true,
			value: {
				...(ca === null ? {} : { ca: read(ca, false) }),
				...(cert === null ? {} : { cert: read(cert, false) }),
				...(key === null ? {} : { key: read(key, true) }),
			},
		};
	} catch (error) {
		return { ok: false, error: reasonOf(error) };
	}
}

/** When our own certificate ends, in milliseconds since the epoch; null where there is none that can be read. */
export function certificateEnd({ cert }: SinkTls): number | null {
	if (cert === undefined) return null;
	try {
		const end = Date.parse(new X509Certificate(cert).validTo);
		return Number.isNaN(end) ? null : end;
	} catch {
		return null;
	}
}

/** The value of the Authorization header, or null where there is none. */
export function readAuthorization(file: string | null): FilesResult<string | null> {
	if (file === null) return { ok: true, value: null };
	try {
		const text = read(file, true).trim();
		if (/^[\x20-\x7e]{1,4096}$/.test(text)) return { ok: true, value: text };
		return { ok: false, error: `${file} is not one line of ASCII, such as Bearer TOKEN` };
	} catch (error) {
		return { ok: false, error: reasonOf(error) };
	}
}

/** @throws Error with what is wrong about the file */
function read(path: string, secret: boolean): string {
	// Without O_NONBLOCK a FIFO of that name would hold up the thread.
	const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(fd);
		if (!stats.isFile()) throw new Error(`${path} is no regular file`);
		if (stats.size > longestFile) throw new Error(`${path} is larger than 1 MiB`);
		if (secret && (stats.mode & othersBits) !== 0)
			throw new Error(`${path} can be read or written by everybody: chmod o= ${path}`);
		return readFileSync(fd, "utf8");
	} finally {
		closeSync(fd);
	}
}
