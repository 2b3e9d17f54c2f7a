/** Whether what a client sent first begins a TLS handshake (RFC 8446, 4.1.2 and 5.1). Pure. */

/** Bytes of the longest record with its header. */
export const longestHello = 5 + 16_384;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

/**
 * `hello`: a whole first record with the beginning of a ClientHello. `incomplete`: it can still become one.
 * `other`: anything else, for which no handshake is worth its cost.
 */
export function judgeHello(bytes: Uint8Array): "hello" | "incomplete" | "other" {
	const [type, major, , high = 0, low = 0, message] = bytes;
	if (type !== undefined && type !== HANDSHAKE) return "other";
	if (major !== undefined && major !== 3) return "other";
	if (message !== undefined && message !== CLIENT_HELLO) return "other";
	if (bytes.length < 6) return "incomplete";
	const length = high * 256 + low;
	if (length < 4 || length > longestHello - 5) return "other";
	return bytes.length >= 5 + length ? "hello" : "incomplete";
}
