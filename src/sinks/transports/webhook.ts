/** Carries alerts in batches over HTTPS, one alert a line. What the receiver answers with 2xx it has. */

import { lookup } from "node:dns/promises";
import type { SinkSettings } from "../../config/sinks.ts";
import { certificateEnd, readAuthorization, readTls } from "../files.ts";
import { allSent, notSent, type Outgoing, type Sent, type Transport } from "../transport.ts";

/** Milliseconds for a request and its answer. */
const usualLimit = 30_000;
/** Requests for one batch: enough to find one bad alert in it, and few where all are refused. */
const mostRequests = 20;
/** The longest that a receiver may ask us to wait, in seconds. */
const longestWait = 300;

/** Milliseconds that a request which came to nothing is held up by a slow name server. */
const lookUpTime = 500;

export class WebhookTransport implements Transport {
	readonly most = { alerts: 500, bytes: 512 * 1024 };
	readonly gather = 200;
	certificateExpires: number | null = null;
	addresses: readonly string[] = [];
	readonly #settings: Pick<SinkSettings, "url" | "tls" | "authorizationFile" | "format">;
	readonly #limit: number;
	#abort = new AbortController();

	constructor(
		settings: Pick<SinkSettings, "url" | "tls" | "authorizationFile" | "format">,
		limit: number = usualLimit,
	) {
		this.#settings = settings;
		this.#limit = limit;
	}

	/** A batch that the receiver refuses for what is in it is sent in halves, so that one bad alert takes no other along. */
	send(batch: readonly Outgoing[]): Promise<Sent> {
		return this.#send(batch, { left: mostRequests });
	}

	async #send(batch: readonly Outgoing[], requests: { left: number }): Promise<Sent> {
		if (requests.left-- <= 0) return notSent("the receiver refuses too many alerts");
		const answer = await this.#post(batch);
		if (answer.kind === "taken") return allSent(batch.length);
		if (answer.kind === "failed") return { ...notSent(answer.error), wait: answer.wait };
		if (batch.length === 1) return { ...allSent(1), refused: 1, error: answer.error };
		const half = Math.ceil(batch.length / 2);
		const first = await this.#send(batch.slice(0, half), requests);
		if (first.done < half) return first;
		const second = await this.#send(batch.slice(half), requests);
		return {
			...second,
			done: half + second.done,
			refused: first.refused + second.refused,
			error: second.error || first.error,
		};
	}

	close(): void {
		this.#abort.abort();
	}

	/** The runtime does not tell where a request went. So a name is looked up once more where one came to nothing. */
	async #lookUp(): Promise<void> {
		const { hostname } = new URL(this.#settings.url ?? "http://localhost");
		if (this.#abort.signal.aborted || hostname.startsWith("[")) return;
		const found = await lookup(hostname, { all: true }).catch(() => []);
		// Where nobody tells, the name leads where it led.
		if (found.length > 0) this.addresses = found.map(({ address }) => address);
	}

	async #post(batch: readonly Outgoing[]): Promise<Answer> {
		const { url, tls, authorizationFile, format } = this.#settings;
		const files = readTls(tls);
		if (!files.ok) return failed(files.error);
		this.certificateExpires = certificateEnd(files.value);
		const authorization = readAuthorization(authorizationFile);
		if (!authorization.ok) return failed(authorization.error);
		try {
			const response = await fetch(url ?? "", {
				method: "POST",
				headers: {
					"Content-Type": format === "cef" ? "text/plain; charset=utf-8" : "application/x-ndjson",
					"User-Agent": "portward",
					...(authorization.value === null ? {} : { Authorization: authorization.value }),
				},
				body: batch.map(({ text }) => `${text}\n`).join(""),
				// What is meant for one receiver goes to no other.
				redirect: "manual",
				signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(this.#limit)]),
				tls: files.value,
			});
			await response.body?.cancel();
			return answerOf(response);
		} catch (error) {
			// What is known later is told with the next attempt.
			await Promise.race([this.#lookUp(), Bun.sleep(lookUpTime)]);
			return failed(
				error instanceof Error && error.name === "TimeoutError" ? "no answer came in time" : error,
			);
		}
	}
}

type Answer =
	| { readonly kind: "taken" }
	/** The receiver takes none of these, whenever they come. */
	| { readonly kind: "refused"; readonly error: string }
	| { readonly kind: "failed"; readonly error: string; readonly wait: number | null };

function failed(error: unknown): Answer {
	return { kind: "failed", error: notSent(error).error, wait: null };
}

function answerOf(response: Response): Answer {
	const { ok, status, headers } = response;
	if (ok) return { kind: "taken" };
	const error = `the receiver answers ${status}`;
	// A bad request, too large a one, a body that cannot be processed.
	if (status === 400 || status === 413 || status === 422) return { kind: "refused", error };
	const after = Number(headers.get("Retry-After") ?? "");
	const wait = after > 0 ? Math.min(after, longestWait) * 1000 : null;
	return { kind: "failed", error, wait };
}
