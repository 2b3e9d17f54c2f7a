/**
 * How many TLS handshakes a second are begun. One costs the daemon's main thread up
 * to 4 ms (an RSA signature of 4096 bits), a client that only begins them almost
 * nothing. A client's share keeps one flood from shutting the others out. Pure.
 */

import { networkOf } from "./client-key.ts";

export interface BudgetLimits {
	/** Handshakes a second, over all clients; twice as many at once after a pause. */
	readonly perSecond: number;
	/** The same for one IPv4 address, or one IPv6 network of 64 bits. */
	readonly perClientSecond: number;
	/** The same for clients that were authenticated lately, together, on top of what all have. */
	readonly reservedSecond: number;
	/** Clients that are remembered; the one seen longest ago is forgotten for a new one. */
	readonly clients: number;
}

const defaultBudget: BudgetLimits = {
	perSecond: 50,
	perClientSecond: 10,
	reservedSecond: 20,
	clients: 1024,
};

/** Milliseconds for which a client that was authenticated is known. */
const knownFor = 3_600_000;

interface Bucket {
	tokens: number;
	/** Milliseconds, monotonic. */
	time: number;
}

export class HandshakeBudget {
	readonly #limits: BudgetLimits;
	readonly #all: Bucket;
	readonly #reserve: Bucket;
	/** When each was authenticated last, in that order. */
	readonly #authenticated = new Map<string, number>();
	/** In order of their last handshake. */
	readonly #clients = new Map<string, Bucket>();

	constructor(limits: Partial<BudgetLimits> = {}) {
		this.#limits = { ...defaultBudget, ...limits };
		this.#all = full(this.#limits.perSecond);
		this.#reserve = full(this.#limits.reservedSecond);
	}

	/** Notes that the client has shown a certificate or a token that is let in. */
	authenticated(client: string, now: number): void {
		const key = networkOf(client);
		this.#authenticated.delete(key);
		const [oldest] = this.#authenticated.keys();
		if (this.#authenticated.size >= this.#limits.clients && oldest !== undefined)
			this.#authenticated.delete(oldest);
		this.#authenticated.set(key, now);
	}

	/**
	 * Whether `client`, an address or a user's key, may begin a handshake at `now` (milliseconds, monotonic).
	 * Call it for one that has sent its ClientHello.
	 */
	admit(client: string, now: number): boolean {
		const { perSecond, perClientSecond, reservedSecond, clients } = this.#limits;
		const key = networkOf(client);
		const own = this.#clients.get(key) ?? { tokens: 2 * perClientSecond, time: now };
		this.#clients.delete(key);
		const [oldest] = this.#clients.keys();
		if (this.#clients.size >= clients && oldest !== undefined) this.#clients.delete(oldest);
		this.#clients.set(key, own);
		refill(own, perClientSecond, now);
		refill(this.#all, perSecond, now);
		refill(this.#reserve, reservedSecond, now);
		if (own.tokens < 1) return false;
		const known = now - (this.#authenticated.get(key) ?? Number.NEGATIVE_INFINITY) < knownFor;
		const from = this.#all.tokens < 1 && known ? this.#reserve : this.#all;
		if (from.tokens < 1) return false;
		own.tokens -= 1;
		from.tokens -= 1;
		return true;
	}
}

function full(perSecond: number): Bucket {
	return { tokens: 2 * perSecond, time: Number.NEGATIVE_INFINITY };
}

function refill(bucket: Bucket, perSecond: number, now: number): void {
	const gained = (Math.max(0, now - bucket.time) / 1000) * perSecond;
	bucket.tokens = Math.min(2 * perSecond, bucket.tokens + gained);
	bucket.time = now;
}
