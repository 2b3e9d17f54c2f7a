/**
 * The status endpoint, kept listening. Whoever holds its address, which on
 * loopback can be any local user, must not keep the firewall from starting: so
 * a failure is a warning, and tried again.
 */

import { formatListenAddress, type ListenAddress, parseListenAddress } from "../report/http/address.ts";
import type { HttpSource } from "../report/http/routes.ts";
import { type HttpServer, startHttpServer } from "../report/http/server.ts";
import type { Logger } from "../report/log.ts";

export interface StatusServerOptions {
	/** status.address of a checked config. */
	readonly address: string;
	readonly hostname: string;
	readonly source: HttpSource;
	readonly log: Logger;
	/** Milliseconds between two attempts. */
	readonly retryMs?: number;
}

const defaultRetryMs = 10_000;

export class StatusServer {
	readonly #options: StatusServerOptions;
	#http: HttpServer | null = null;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#failure = "";
	#stopped = false;

	constructor(options: StatusServerOptions) {
		this.#options = options;
	}

	/** Where it listens; null while it does not. */
	get address(): ListenAddress | null {
		return this.#http?.address ?? null;
	}

	/** What the operator should know about the endpoint. */
	get warnings(): readonly string[] {
		const parsed = parseListenAddress(this.#options.address);
		if (!parsed.ok || parsed.address.kind === "unix" || isLoopback(parsed.address.host)) return [];
		return [
			`the status endpoint on ${this.#options.address} can be read by other hosts; bind it to 127.0.0.1 or a unix socket unless your network keeps them out`,
		];
	}

	/** Resolves after the first attempt. */
	async start(): Promise<void> {
		const { address, hostname, source, log, retryMs } = this.#options;
		const parsed = parseListenAddress(address);
		const result = parsed.ok
			? await startHttpServer({
					address: parsed.address,
					hostname,
					source,
					now: Date.now,
					onError: (error, path) => log.error("an HTTP answer failed", { path, error: String(error) }),
				})
			: ({ ok: false, message: parsed.message, hint: "correct status.address" } as const);
		if (this.#stopped) {
			if (result.ok) result.server.stop();
			return;
		}
		if (result.ok) {
			this.#http = result.server;
			log.info("listening", { address: formatListenAddress(result.server.address) });
			return;
		}
		if (result.message !== this.#failure) {
			log.error("nobody can read the status; enforcement goes on", {
				reason: result.message,
				hint: result.hint,
			});
		}
		this.#failure = result.message;
		this.#timer = setTimeout(() => void this.start(), retryMs ?? defaultRetryMs);
		this.#timer.unref();
	}

	stop(): void {
		this.#stopped = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#http?.stop();
	}
}

function isLoopback(host: string): boolean {
	return host === "::1" || host.startsWith("127.") || host === "localhost";
}
