/** Which changes of a tree of intervals are made where it is, so that every packet is judged as before or as after. */

import { expect, test } from "bun:test";
import { elementChange } from "../../../src/kernel/nftables/direct-changes.ts";
import type { NftMap } from "../../../src/kernel/nftables/objects.ts";

/** Keys, each with the number of the chain that it leads to. */
function map(elements: Readonly<Record<string, number>>): NftMap {
	const values = [0, 1].map((i) => ({ verdict: "goto", chain: `x_${i}` }) as const);
	return {
		...{ kind: "map", to: "verdict", name: "m", type: "ipv4_addr", flags: ["interval"], values },
		keys: Object.keys(elements).join("\n"),
		leads: Object.values(elements),
	};
}

const kept = { "10.0.0.0/24": 0, "10.9.0.0/24": 0 };

function change(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
	const made = elementChange({ name: "m", before: map(before), after: map(after) });
	return made && [made.removed.length, made.added.length];
}

test("what comes and goes apart from all else is changed in place", () => {
	expect(change(kept, { ...kept, "10.2.0.0/24": 1 })).toEqual([0, 1]);
	expect(change({ ...kept, "10.2.0.0/24": 1 }, { ...kept, "10.3.0.0/24": 0, "10.1.0.0/24": 1 })).toEqual([
		1, 2,
	]);
	// What begins the tree where no interval does goes with what begins there.
	expect(change(kept, { ...kept, "0.0.0.0/24": 0 })).toEqual([1, 1]);
	expect(change({ ...kept, "0.0.0.0/24": 0 }, kept)).toEqual([1, 1]);
	expect(change(kept, { ...kept, "255.255.255.0/24": 0 })).toEqual([0, 1]);
});

test("neighbours are, where they lead to the same", () => {
	expect(change(kept, { ...kept, "10.0.1.0/24": 0 })).toEqual([0, 1]);
	expect(change({ ...kept, "10.0.1.0/24": 0 }, kept)).toEqual([1, 0]);
	expect(change(kept, { ...kept, "10.0.1.0/24": 1 })).toBeNull();
	expect(change({ ...kept, "10.0.1.0/24": 1 }, kept)).toBeNull();
	// The one that is in force is the later one.
	expect(change(kept, { ...kept, "10.8.255.0/24": 1 })).toEqual([0, 1]);
});

test("what lies across what was there is not", () => {
	const { "10.0.0.0/24": _, ...rest } = kept;
	expect(change(kept, { ...rest, "10.0.0.0/25": 0 })).toBeNull();
	expect(change({ ...rest, "10.0.0.0/25": 0 }, kept)).toBeNull();
	expect(change(kept, { ...rest, "10.0.0.0/25": 0, "10.0.0.128/25": 0 })).toBeNull();
	expect(change(kept, { ...rest, "10.0.0.0/24": 1 })).toBeNull();
	expect(change(kept, { ...rest, "10.0.0.64/26": 0 })).toBeNull();
	expect(change({ ...kept, "128.0.0.0/1": 0 }, { ...kept, "255.255.255.255": 0 })).toBeNull();
	expect(change({ ...kept, "0.0.0.0/8": 0 }, { ...kept, "0.0.0.0/9": 0 })).toBeNull();
});
