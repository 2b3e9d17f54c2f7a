/** Ed25519 keys (RFC 8032) that are none: whoever wants can sign for them. */

/** Bytes of a public key. */
const publicBytes = 32;

export const smallOrderMessage =
	"this is no key that anybody made: its point has a small order, and signatures of others fit it";

/**
 * The y of the points whose order divides 8, as they are encoded, also where they are not reduced; the sign is the
 * highest bit (libsodium's ge25519_has_small_order). A signature for one of these can be made without a private key.
 */
const smallOrder: ReadonlySet<string> = new Set([
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** @param point the 32 bytes of a public key */
export function isSmallOrder(point: Uint8Array): boolean {
	const unsigned = Buffer.from(point);
	unsigned[publicBytes - 1] = (unsigned[publicBytes - 1] ?? 0) & 0x7f;
	return smallOrder.has(unsigned.toString("hex"));
}
