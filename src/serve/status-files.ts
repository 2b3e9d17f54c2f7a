/** The files that protect the status endpoint: the bearer token, the certificate and its key. */

import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import type { Config } from "../config/model.ts";
import { distrust } from "../source/permissions.ts";
import { Bearer } from "./http/bearer.ts";
import { readServerTls, type ServerTls } from "./http/certificate.ts";

export interface StatusFailure {
	readonly ok: false;
	readonly message: string;
	readonly hint: string;
}

/** What the files say. Null where the settings name none. */
export interface StatusFiles {
	readonly ok: true;
	readonly tls: ServerTls | null;
	readonly bearer: Bearer | null;
	/** Changes with the TLS files. */
	readonly tlsKey: string;
}

const tokenBytes = 4096;
const pemBytes = 1024 * 1024;

/** Who may have more than nothing of a secret: with a group of its own, a key is often readable by it. */
const forbiddenBits = { token: 0o077, key: 0o027, public: 0o022 } as const;

/** Reads and checks all of them, which `setting` names. `checkPermissions`: files that others may write, and secrets that they may read, are refused. */
export function readStatusFiles(
	{ tls, tokenFile }: Pick<Config["status"], "tls" | "tokenFile">,
	checkPermissions: boolean,
	setting = "status",
): StatusFiles | StatusFailure {
	let bearer: Bearer | null = null;
	if (tokenFile !== null) {
		const text = readFile(tokenFile, "token", checkPermissions, setting);
		if (typeof text !== "string") return text;
		const parsed = Bearer.parse(text);
		if (!parsed.ok) return failure(`status.tokenFile ${tokenFile}: ${parsed.message}`, parsed.hint);
		bearer = parsed.bearer;
	}
	if (tls === null) return { ok: true, tls: null, bearer, tlsKey: "" };
	const cert = readFile(tls.cert, "public", checkPermissions, setting);
	if (typeof cert !== "string") return cert;
	const key = readFile(tls.key, "key", checkPermissions, setting);
	if (typeof key !== "string") return key;
	const clientCa = tls.clientCa === null ? null : readFile(tls.clientCa, "public", checkPermissions, setting);
	if (clientCa !== null && typeof clientCa !== "string") return clientCa;
	const read = readServerTls(cert, key, clientCa);
	if (!read.ok) return failure(`${setting}.tls.${read.which} ${tls[read.which]} ${read.message}`, read.hint);
	const tlsKey = new Bun.CryptoHasher("sha256").update(JSON.stringify([cert, key, clientCa])).digest("hex");
	return { ok: true, tls: read.tls, bearer, tlsKey };
}

function failure(message: string, hint: string): StatusFailure {
	return { ok: false, message, hint };
}

function readFile(
	path: string,
	kind: keyof typeof forbiddenBits,
	checkPermissions: boolean,
	setting: string,
): string | StatusFailure {
	let fd: number | null = null;
	try {
		// Without O_NONBLOCK a FIFO of that name would hold up the daemon.
		fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		const stats = fstatSync(fd);
		const refused = refuse(path, kind, stats, checkPermissions);
		return refused ?? readFileSync(fd, "latin1");
	} catch (error) {
		const text = error instanceof Error ? error.message : String(error);
		return failure(`${path} cannot be read: ${text}`, `create it, or correct ${setting} in the config file`);
	} finally {
		if (fd !== null) closeSync(fd);
	}
}

function refuse(
	path: string,
	kind: keyof typeof forbiddenBits,
	stats: Stats,
	checkPermissions: boolean,
): StatusFailure | null {
	if (!stats.isFile()) return failure(`${path} is not a file`, "name a regular file");
	const most = kind === "token" ? tokenBytes : pemBytes;
	if (stats.size > most) return failure(`${path} is larger than ${most} bytes`, "name the right file");
	if (!checkPermissions) return null;
	const untrusted = distrust(path, stats);
	if (untrusted !== null) return failure(untrusted.message, untrusted.hint);
	const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
	if ((stats.mode & forbiddenBits[kind]) !== 0) {
		const hint = `run chmod ${kind === "token" ? "0600" : "0640"} on it`;
		return failure(`${path} is a secret that others can read (mode ${mode})`, hint);
	}
	return null;
}
