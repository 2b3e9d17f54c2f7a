/** Whom a connection counts for: shares are per user of this host, and per network elsewhere. */

/** An IPv4 address, or the first 64 bits of an IPv6 one: a household has that many at least (RFC 6177). Pure. */
export function networkOf(address: string): string {
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

/** The two ends of a connection, as the server sees them. */
export interface ConnectionEnds {
	readonly remoteAddress: string;
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
}

/** @param localUser the user whose socket the other end is; null where it is none of this host's. */
export function clientKey(ends: ConnectionEnds, localUser: (ends: ConnectionEnds) => number | null): string {
	const uid = localUser(ends);
	return uid === null ? networkOf(ends.remoteAddress) : `uid ${uid}`;
}

interface Held {
	readonly client: string;
}

/**
 * What gives way to one more of `client` where all places are taken: the first that
 * `choose` finds among those of the client that holds most, the newcomer counted.
 * Undefined where every other holds as little as the newcomer would.
 */
export function givesWay<Place extends Held>(
	places: readonly Place[],
	client: string,
	choose: (own: readonly Place[]) => Place | undefined,
): Place | undefined {
	const byClient = Map.groupBy(places, (place) => place.client);
	const mine = (byClient.get(client)?.length ?? 0) + 1;
	for (const [name, own] of [...byClient].toSorted(([, a], [, b]) => b.length - a.length)) {
		if (own.length < mine && name !== client) return undefined;
		const found = choose(own);
		if (found !== undefined) return found;
	}
	return undefined;
}
