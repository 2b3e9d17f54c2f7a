/** Addresses and intervals as nftables reads them. */

import { formatAddress, maskBase } from "../../../../base/cidr.ts";
import type { Family } from "../../../../base/model.ts";
import type { Address } from "../atom.ts";

/** An address as nftables reads it. */
export function addressText(address: Address): string {
	if (typeof address === "bigint") return formatAddress(6, address);
	return `${Math.floor(address / 0x1000000)}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The length of the one block that is exactly this interval, or null. */
export function blockLength(first: Address, last: Address): number | null {
	const bits = typeof first === "bigint" ? 128 : 32;
	if (typeof first === "number" && typeof last === "number") {
		const size = last - first + 1;
		const host = Math.log2(size);
		return Number.isInteger(host) && first % size === 0 ? bits - host : null;
	}
	const size = BigInt(last) - BigInt(first) + 1n;
	if ((size & (size - 1n)) !== 0n || BigInt(first) % size !== 0n) return null;
	return bits + 1 - size.toString(2).length;
}

/** The netmask of a prefix length, 0..32 or 0..128. */
export function maskText(family: Family, length: number): string {
	const ones = family === 4 ? 0xffffffffn : (1n << 128n) - 1n;
	return formatAddress(family, maskBase(ones, family, length));
}

/** An address, a block or a range, whichever is the interval's shortest form. */
export function intervalText(first: Address, last: Address): string {
	if (first === last) return addressText(first);
	const length = blockLength(first, last);
	return length === null ? `${addressText(first)}-${addressText(last)}` : `${addressText(first)}/${length}`;
}
