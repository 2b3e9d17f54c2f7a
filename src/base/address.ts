/** Network addresses as text, straight from a packet's bytes. */

/** Dotted decimal. @param at offset of four bytes that `bytes` holds. */
export function formatIpv4(bytes: Uint8Array, at: number): string {
	return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The canonical text of RFC 5952, with IPv4-mapped addresses in mixed notation. @param at offset of sixteen bytes. */
export function formatIpv6(bytes: Uint8Array, at: number): string {
	const groups: number[] = [];
	for (let i = at; i < at + 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
	if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
		return `::ffff:${formatIpv4(bytes, at + 12)}`;
	}
	const run = longestZeroRun(groups);
	const hex = groups.map((group) => group.toString(16));
	if (run.length < 2) return hex.join(":");
	return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

/** The first of the longest runs of zero groups. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
	let best = { start: 0, length: 0 };
	let start = 0;
	for (const [index, group] of groups.entries()) {
		if (group !== 0) start = index + 1;
		else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
	}
	return best;
}
