/**
 * How many TLS handshakes a second are begun. One costs the daemon's main thread up
 * to 4 ms (an RSA signature of 4096 bits), a client that only begins them almost
 * nothing. A client's share keeps one flood from shutting the others out. Pure.
 */

export interface BudgetLimits {
	/** Handshakes a second, over all clients; twice as many at once after a pause. */
	readonly perSecond: number;
	/** The same for one IPv4 address, or one IPv6 network of 64 bits. */
	readonly perClientSecond: number;
	/** Clients that are remembered; the one seen longest ago is forgotten for a new one. */
	readonly clients: number;
}

export const defaultBudget: BudgetLimits = { perSecond: 50, perClientSecond: 10, clients: 1024 };

interface Bucket {
	tokens: number;
	/** Milliseconds, monotonic. */
	time: number;
}

export class HandshakeBudget {
	readonly #limits: BudgetLimits;
	readonly #all: Bucket;
	/** In order of their last handshake. */
	readonly #clients = new Map<string, Bucket>();

	constructor(limits: BudgetLimits = defaultBudget) {
		this.#limits = limits;
		this.#all = { tokens: 2 * limits.perSecond, time: Number.NEGATIVE_INFINITY };
	}

	/** Whether the client at `address` may begin a handshake at `now` (milliseconds, monotonic). */
	admit(address: string, now: number): boolean {
		const { perSecond, perClientSecond, clients } = this.#limits;
		const key = clientOf(address);
		const own = this.#clients.get(key) ?? { tokens: 2 * perClientSecond, time: now };
		this.#clients.delete(key);
		const [oldest] = this.#clients.keys();
		if (this.#clients.size >= clients && oldest !== undefined) this.#clients.delete(oldest);
		this.#clients.set(key, own);
		refill(own, perClientSecond, now);
		refill(this.#all, perSecond, now);
		if (own.tokens < 1 || this.#all.tokens < 1) return false;
		own.tokens -= 1;
		this.#all.tokens -= 1;
		return true;
	}
}

function refill(bucket: Bucket, perSecond: number, now: number): void {
	const gained = (Math.max(0, now - bucket.time) / 1000) * perSecond;
	bucket.tokens = Math.min(2 * perSecond, bucket.tokens + gained);
	bucket.time = now;
}

/** One household has many IPv6 addresses, and at least a /64 of them (RFC 6177). */
function clientOf(address: string): string {
	// A socket that listens for both families names IPv4 addresses so (RFC 4291, 2.5.5.2).
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
	if (mapped !== undefined) return mapped;
	if (!address.includes(":")) return address;
	const [head = "", tail] = address.split("::", 2);
	const first = head === "" ? [] : head.split(":");
	const last = tail === undefined || tail === "" ? [] : tail.split(":");
	const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
	return [...first, ...Array<string>(Math.max(0, zeros)).fill("0"), ...last].slice(0, 4).join(":");
}
