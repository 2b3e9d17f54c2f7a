/**
 * Who may read the status, and where: on the configured address what its settings
 * allow, and where that is not everything, all of it on a socket of root's own.
 */

import { mkdirSync } from "node:fs";
import { peerCredentials } from "../../ffi/peer.ts";
import type { Config } from "../config/model.ts";
import {
	localStatusSocket,
	needsLocalSocket,
	statusRefusal,
	statusWarnings,
} from "../config/status-access.ts";
import { SocketOwners } from "../kernel/socket-owner.ts";
import type { Logger } from "../report/log.ts";
import type { DaemonState } from "../report/status.ts";
import type { ControlReply } from "./control/control-protocol.ts";
import { formatListenAddress, type ListenAddress } from "./http/address.ts";
import type { Bearer } from "./http/bearer.ts";
import { certificatesOf } from "./http/certificate.ts";
import type { ConnectionEnds } from "./http/client-key.ts";
import { PageSessions } from "./http/page-sessions.ts";
import type { HttpSource } from "./http/routes.ts";
import { type EndpointOptions, StatusEndpoint } from "./status-endpoint.ts";
import { readStatusFiles, type StatusFailure } from "./status-files.ts";

export interface StatusServerOptions {
	/** Of a checked config. */
	readonly status: Config["status"];
	readonly stateDir: string;
	/** Whether the files of a token or a key must be root's own. */
	readonly checkPermissions: boolean;
	readonly hostname: () => string;
	readonly source: HttpSource;
	readonly log: Logger;
	/** Milliseconds between two attempts to listen. */
	readonly retryMs?: number;
}

const defaultRetryMs = 10_000;

export class StatusServer {
	readonly #options: StatusServerOptions;
	readonly #refusal: StatusFailure | null;
	readonly #configured: StatusEndpoint;
	readonly #local: StatusEndpoint | null;
	readonly #pages = new PageSessions();
	readonly #owners = new SocketOwners();
	/** Set before anything listens, when a token is asked for. */
	#bearer: Bearer | null = null;
	/** Of the TLS files in use. */
	#tlsKey = "";
	/** Those in use; `expires` in milliseconds since the epoch. */
	#certificates: DaemonState["certificates"] = [];

	constructor(options: StatusServerOptions) {
		const { status, stateDir, log, retryMs = defaultRetryMs } = options;
		this.#options = options;
		const refusal = statusRefusal(status);
		this.#refusal = refusal === null ? null : { ok: false, ...refusal };
		this.#configured = new StatusEndpoint({
			address: status.address,
			prepare: () => this.#prepare(),
			log,
			retryMs,
		});
		this.#local = needsLocalSocket(status, stateDir)
			? new StatusEndpoint({
					address: `unix:${localStatusSocket(stateDir)}`,
					prepare: () => this.#prepareLocal(),
					log,
					retryMs,
				})
			: null;
	}

	/** Where the configured endpoint listens; null while it does not. */
	get address(): ListenAddress | null {
		return this.#configured.address;
	}

	/** The certificates in use, and when they end. */
	get certificates(): DaemonState["certificates"] {
		return this.#certificates;
	}

	/** What the operator should know about the endpoint now. */
	get warnings(): readonly string[] {
		const { status } = this.#options;
		const warnings = [...statusWarnings(status)];
		const failure = this.#refusal?.message ?? this.#configured.failure;
		if (failure !== "") warnings.push(`the status endpoint ${status.address} is not served: ${failure}`);
		const ended = this.#certificates.find(({ name, expires }) => name === "status" && Date.now() > expires);
		if (ended !== undefined) {
			warnings.push(
				`the certificate of the status endpoint ended on ${new Date(ended.expires).toISOString()}`,
			);
		}
		return warnings;
	}

	/** Resolves after the first attempt. */
	async start(): Promise<void> {
		const { log, status } = this.#options;
		for (const warning of statusWarnings(status)) log.warn(warning);
		if (this.#refusal !== null) {
			const { message, hint } = this.#refusal;
			log.error("the status endpoint is refused; enforcement goes on", { reason: message, hint });
		}
		await Promise.all([this.#refusal === null ? this.#configured.start() : null, this.#local?.start()]);
	}

	/** Reads the token and the TLS files again. Files that are broken change nothing. */
	async reload(): Promise<void> {
		const { status, log, checkPermissions } = this.#options;
		if (this.#refusal !== null || (status.tls === null && status.tokenFile === null)) return;
		const files = readStatusFiles(status, checkPermissions);
		if (!files.ok) {
			log.error("the status endpoint keeps its token and certificate", {
				reason: files.message,
				hint: files.hint,
			});
			return;
		}
		this.#bearer = files.bearer;
		if (files.tlsKey === this.#tlsKey) return;
		log.info("the status endpoint takes its new certificate");
		await this.#configured.restart();
	}

	/** A link to the status page for whoever asked as root, or why there can be none; `revoke` ends all that there are. */
	page(revoke: boolean): ControlReply {
		const { status, log } = this.#options;
		if (revoke) {
			const ended = this.#pages.revoke();
			log.info("every link to the status page was revoked", { links: ended });
			return { ok: true, message: `revoked links and open pages: ${ended}` };
		}
		if (status.address.startsWith("unix:")) {
			const message = `no browser opens ${status.address}; forward it with ssh -L 9755:${status.address.slice("unix:".length)} root@HOST, and open http://localhost:9755/`;
			return { ok: false, message };
		}
		const { address } = this;
		if (address?.kind !== "tcp") {
			const why = this.#refusal?.message ?? this.#configured.failure;
			return { ok: false, message: `the page is not served now${why === "" ? "" : `: ${why}`}` };
		}
		log.info("a link to the status page was made");
		const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host;
		const scheme = status.tls === null ? "http" : "https";
		const link = `${scheme}://${formatListenAddress({ ...address, host })}${this.#pages.issue()}`;
		return {
			ok: true,
			message: link,
			values: { link },
		};
	}

	stop(): void {
		this.#configured.stop();
		this.#local?.stop();
		this.#owners.close();
	}

	#prepare(): EndpointOptions | StatusFailure {
		const { status, hostname, source, checkPermissions } = this.#options;
		const common = { hostname, source };
		if (status.address.startsWith("unix:")) return common;
		const files = readStatusFiles(status, checkPermissions);
		if (!files.ok) return files;
		this.#bearer = files.bearer;
		this.#tlsKey = files.tlsKey;
		this.#certificates = files.tls === null ? [] : certificatesOf("status", files.tls);
		return {
			...common,
			detail: status.detail,
			pages: this.#pages,
			localUser: (ends) => this.#localUser(ends),
			tls: files.tls,
			...(files.bearer === null
				? {}
				: { authorize: (header: string | null) => this.#bearer?.accepts(header) ?? false }),
		};
	}

	/** Asked of the other end's socket. */
	#localUser({ remoteAddress, remotePort, localAddress, localPort }: ConnectionEnds): number | null {
		const ends = { local: remoteAddress, localPort: remotePort, remote: localAddress, remotePort: localPort };
		return this.#owners.find(ends)?.uid ?? null;
	}

	#prepareLocal(): EndpointOptions | StatusFailure {
		const { stateDir, hostname, source } = this.#options;
		try {
			mkdirSync(stateDir, { recursive: true, mode: 0o700 });
		} catch (error) {
			const text = error instanceof Error ? error.message : String(error);
			return { ok: false, message: `${stateDir} cannot be made: ${text}`, hint: "correct stateDir" };
		}
		return { hostname, source, admitPeer };
	}
}

/** The socket's mode keeps others out already; a mode is changed more easily than a process's user. */
function admitPeer(fd: number): boolean {
	const known = peerCredentials(fd);
	return known.ok && known.peer.uid === 0;
}
