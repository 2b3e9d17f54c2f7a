/** The flows that a recommendation was made from: what none of them covers is new. Pure. */

import * as v from "valibot";
import { addressBits, formatCidr, maskBase, parseSeenCidr } from "../../../base/cidr.ts";
import type { Cidr } from "../../../base/model.ts";
import { protocolText } from "../../../base/protocol.ts";
import type { SeenFlow } from "./seen-flow.ts";

/** The state file that `recommend` writes. */
export const baselineFile = "seen-baseline.json";

export interface Baseline {
	/** Milliseconds since the epoch. */
	readonly madeAt: number;
	/** See `flowKey`. */
	readonly keys: readonly string[];
}

type Told = Pick<SeenFlow, "direction" | "hook" | "protocol" | "remote" | "port" | "interface">;

/** `ingress|input|tcp|10.0.0.0/24|22|eth0`; a port that there is none of is `-`. */
export function flowKey({ direction, hook, protocol, remote, port, interface: name }: Told): string {
	return [direction, hook, protocolText(protocol), formatCidr(remote), port ?? "-", name].join("|");
}

const shape = v.object({
	madeAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
	keys: v.pipe(v.array(v.pipe(v.string(), v.maxLength(256))), v.maxLength(1_000_000)),
});

/** Null where a value is no baseline. */
export function parseBaseline(value: unknown): Baseline | null {
	const read = v.safeParse(shape, value);
	return read.success ? read.output : null;
}

/** What a baseline covers. Keys that cannot be read cover nothing. */
export class KnownFlows {
	/** By what a key says beside the remote end: its prefix lengths, each with the bases of its blocks. */
	readonly #blocks = new Map<string, Map<number, Set<bigint>>>();

	constructor({ keys }: Pick<Baseline, "keys">) {
		for (const key of keys) {
			const [direction, hook, protocol, remote = "", ...rest] = key.split("|");
			const parsed = parseSeenCidr(remote);
			if (!parsed.ok) continue;
			const { base, prefix, family } = parsed.cidr;
			this.#bases([direction, hook, protocol, family, ...rest].join("|"), prefix).add(base);
		}
	}

	/** Whether some key's block holds all of the flow's remote end, and the rest is the same. */
	covers(flow: Told): boolean {
		const { direction, hook, protocol, remote, port, interface: name } = flow;
		const rest = [direction, hook, protocolText(protocol), remote.family, port ?? "-", name].join("|");
		const lengths = this.#blocks.get(rest);
		if (lengths === undefined) return false;
		for (const [prefix, bases] of lengths) if (holds(bases, prefix, remote)) return true;
		return false;
	}

	#bases(rest: string, prefix: number): Set<bigint> {
		const lengths = this.#blocks.get(rest) ?? new Map<number, Set<bigint>>();
		this.#blocks.set(rest, lengths);
		const bases = lengths.get(prefix) ?? new Set<bigint>();
		lengths.set(prefix, bases);
		return bases;
	}
}

function holds(bases: ReadonlySet<bigint>, prefix: number, { family, base, prefix: inner }: Cidr): boolean {
	return prefix <= Math.min(inner, addressBits(family)) && bases.has(maskBase(base, family, prefix));
}
