/** How many files this process may have open (getrlimit(2)). */

import { Libc } from "./libc.ts";

const RLIMIT_NOFILE = 7;
/** prlimit64, by architecture: the C library's own call differs between glibc and musl. */
const PRLIMIT64: Readonly<Record<string, number>> = { x64: 302, arm64: 261 };

export type DescriptorLimit =
	| { readonly ok: true; readonly soft: number }
	/** Nobody can tell, or change it. */
	| { readonly ok: false; readonly error: string };

/**
 * Raises the limit to `wanted` descriptors where it is lower: as far as the hard limit, and beyond with
 * CAP_SYS_RESOURCE. Gives what holds then.
 */
export function raiseDescriptorLimit(wanted: number): DescriptorLimit {
	const library = Libc.open();
	if (!library.ok) return { ok: false, error: library.reason };
	const { libc } = library;
	const number = PRLIMIT64[process.arch];
	if (number === undefined) return { ok: false, error: `no limits are known on ${process.arch}` };
	const pair = new BigUint64Array(2);
	const bytes = new Uint8Array(pair.buffer);
	const look = libc.systemCall("prlimit64", number, [0, RLIMIT_NOFILE, 0, bytes]);
	if (!look.ok) return look;
	const [soft = 0n, hard = 0n] = pair;
	const goal = BigInt(wanted);
	if (soft >= goal) return { ok: true, soft: Number(soft) };
	for (const [raisedSoft, raisedHard] of [
		[goal, hard > goal ? hard : goal],
		[hard < goal ? hard : goal, hard],
	] as const) {
		pair[0] = raisedSoft;
		pair[1] = raisedHard;
		if (libc.systemCall("prlimit64", number, [0, RLIMIT_NOFILE, bytes, 0]).ok)
			return { ok: true, soft: Number(raisedSoft) };
	}
	return { ok: true, soft: Number(soft) };
}
