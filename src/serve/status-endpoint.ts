/**
 * One address that the status is served on, kept listening. Whoever holds it,
 * which on loopback can be any local user, must not keep the firewall from
 * starting: so a failure is logged, and tried again.
 */

import type { Logger } from "../report/log.ts";
import { formatListenAddress, type ListenAddress, parseListenAddress } from "./http/address.ts";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "./http/server.ts";
import type { StatusFailure } from "./status-files.ts";

/** What may differ from one attempt to the next, such as a certificate. */
export type EndpointOptions = Omit<HttpServerOptions, "address" | "now" | "onError" | "limits">;

export interface EndpointSettings {
	readonly address: string;
	/** Asked before each attempt. */
	readonly prepare: () => EndpointOptions | StatusFailure;
	readonly log: Logger;
	/** Milliseconds between two attempts. */
	readonly retryMs: number;
}

export class StatusEndpoint {
	readonly #settings: EndpointSettings;
	#http: HttpServer | null = null;
	#timer: ReturnType<typeof setTimeout> | null = null;
	#failure = "";
	#stopped = false;

	constructor(settings: EndpointSettings) {
		this.#settings = settings;
	}

	/** Where it listens; null while it does not. */
	get address(): ListenAddress | null {
		return this.#http?.address ?? null;
	}

	/** Why it does not listen; "" when it does, or has not tried. */
	get failure(): string {
		return this.#failure;
	}

	/** Resolves after the first attempt. */
	async start(): Promise<void> {
		const { log, retryMs } = this.#settings;
		const result = await this.#listen();
		if (this.#stopped) {
			if (result.ok) result.server.stop();
			return;
		}
		if (result.ok) {
			this.#http = result.server;
			this.#failure = "";
			log.info("listening", { address: formatListenAddress(result.server.address) });
			return;
		}
		if (result.message !== this.#failure) {
			log.error("nobody can read the status; enforcement goes on", {
				address: this.#settings.address,
				reason: result.message,
				hint: result.hint,
			});
		}
		this.#failure = result.message;
		this.#timer = setTimeout(() => void this.start(), retryMs);
		this.#timer.unref();
	}

	/** Ends every connection and listens anew, with what `prepare` says now. */
	async restart(): Promise<void> {
		this.#http?.stop();
		this.#http = null;
		if (this.#timer !== null) clearTimeout(this.#timer);
		await this.start();
	}

	stop(): void {
		this.#stopped = true;
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#http?.stop();
	}

	async #listen(): Promise<Awaited<ReturnType<typeof startHttpServer>>> {
		const { address, prepare, log } = this.#settings;
		const parsed = parseListenAddress(address);
		if (!parsed.ok) return { ok: false, message: parsed.message, hint: "correct status.address" };
		const prepared = prepare();
		if ("ok" in prepared) return prepared;
		return await startHttpServer({
			...prepared,
			address: parsed.address,
			now: Date.now,
			onError: (error, path) => log.error("an HTTP answer failed", { path, error: String(error) }),
		});
	}
}
