/**
 * What of a rule's packets was forwarded. The kernel counts all of a rule's packets, and the forwarded ones among them
 * once more; they are read one after the other while packets go on. So the two could drift apart by a few, and the
 * host's own, which are the difference, could fall, which a reader of metrics takes for a counter that began anew. Pure.
 */

import type { CounterValue } from "../observe/counters.ts";

/** A rule at a reading of the kernel's counters. */
export interface HookReading {
	/** CompiledRule.id. */
	readonly id: string;
	readonly all: CounterValue;
	/** Counted beside; at most a few more or less than belongs to `all`. */
	readonly forwarded: CounterValue;
}

interface Seen {
	readonly all: CounterValue;
	/** Of the host's own packets. */
	readonly own: CounterValue;
}

const nothing: CounterValue = { packets: 0, bytes: 0 };

export class HookCounts {
	#seen = new Map<string, Seen>();

	/** The forwarded part of each rule's count, by id: neither it nor the rest falls, unless the counters began anew. */
	take(readings: readonly HookReading[]): ReadonlyMap<string, CounterValue> {
		const found = new Map<string, CounterValue>();
		const seen = new Map<string, Seen>();
		for (const { id, all, forwarded } of readings) {
			const before = this.#seen.get(id);
			const anew = before === undefined || all.packets < before.all.packets || all.bytes < before.all.bytes;
			const least = anew ? nothing : before.own;
			const own = {
				packets: Math.max(least.packets, all.packets - forwarded.packets),
				bytes: Math.max(least.bytes, all.bytes - forwarded.bytes),
			};
			seen.set(id, { all, own });
			found.set(id, { packets: all.packets - own.packets, bytes: all.bytes - own.bytes });
		}
		this.#seen = seen;
		return found;
	}
}
