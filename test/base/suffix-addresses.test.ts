import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Suffix, suffixMatches } from "../../src/base/suffix.ts";
import { SuffixAddresses } from "../../src/base/suffix-addresses.ts";

const all = (1n << 128n) - 1n;
const whole = { first: 0n, last: all };

/** Few bits at both ends, so that they nest and meet. */
const edge = (bits: number) => BigInt(bits & 0xf) | (BigInt(bits >> 4) << 124n);
const small = fc
	.tuple(fc.integer({ min: 1, max: 255 }), fc.nat(255))
	.map(([mask, value]): Suffix => ({ mask: edge(mask), value: edge(mask & value) }));
const addresses = Array.from({ length: 256 }, (_, bits) => edge(bits));

test("the first address is what trying all of them finds", () => {
	const few = (maxLength: number) => fc.array(small, { maxLength });
	fc.assert(
		fc.property(fc.nat(255), fc.nat(255), few(3), few(7), (from, to, within, without) => {
			const [first, last] = [edge(Math.min(from, to)), edge(Math.max(from, to))];
			const asked = new SuffixAddresses(within, without);
			const found = asked.first({ first, last });
			const fits = (address: bigint) =>
				within.every((one) => suffixMatches(one, address)) &&
				!without.some((one) => suffixMatches(one, address));
			const known = addresses.find((address) => first <= address && address <= last && fits(address));
			if (found === null) expect(known).toBeUndefined();
			else {
				expect(first <= found && found <= last && fits(found)).toBe(true);
				if (known !== undefined) expect(found <= known).toBe(true);
				// None before it, and it is the only one in bounds of its own.
				expect(found === first ? null : asked.first({ first, last: found - 1n })).toBeNull();
				expect(asked.first({ first: found, last: found })).toBe(found);
			}
		}),
		{ numRuns: 300 },
	);
});

test("where others cover all but one, or all, that is told however they lie", () => {
	// Bits at the front that count for nothing until the last ones say which of them does.
	const chosen = (bits: number) =>
		Array.from({ length: 2 << bits }, (_, i): Suffix => {
			const [which, set] = [BigInt(i >> 1), BigInt(i & 1)];
			const at = BigInt(bits) + which;
			return { mask: (1n << at) | BigInt((1 << bits) - 1), value: (set << at) | which };
		});
	const covering = chosen(6);
	expect(new SuffixAddresses([], covering).first(whole)).toBeNull();
	expect(new SuffixAddresses([], covering.slice(1)).first(whole)).toBe(0n);
	expect(new SuffixAddresses([], covering.slice(0, -1)).first(whole)).toBe((1n << 69n) | 63n);
	const [last] = covering.slice(-1);
	if (last === undefined) throw new Error("no suffix");
	expect(new SuffixAddresses([last], covering.slice(0, -1)).first(whole)).toBe(last.value);
	expect(new SuffixAddresses([last], []).first({ first: all - 5n, last: all })).toBe(all);
});

test("suffixes that contradict each other have none", () => {
	const [one, other] = [0n, 1n].map((value): Suffix => ({ mask: 1n, value }));
	if (one === undefined || other === undefined) throw new Error("no suffix");
	expect(new SuffixAddresses([one, other], []).first(whole)).toBeNull();
	expect(new SuffixAddresses([], [one, other]).first(whole)).toBeNull();
	expect(new SuffixAddresses([one], []).first({ first: all, last: all })).toBeNull();
	expect(new SuffixAddresses([], []).first({ first: 7n, last: 9n })).toBe(7n);
});
