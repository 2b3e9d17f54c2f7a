/** Verdicts for packets at random are in verdict-diff.test.ts. */

import { expect, test } from "bun:test";
import { blockAround, formatSuffix, type Suffix } from "../../../../../src/base/suffix.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { kindsOf } from "../../../../../src/enforcers/network/compile/verdict/suffix-boxes.ts";
import { diffVerdicts } from "../../../../../src/enforcers/network/compile/verdict/verdict-diff.ts";
import type { NetworkPolicy, NetworkRule } from "../../../../../src/enforcers/network/model.ts";
import { policy, rule } from "../build.ts";

function model(...policies: readonly NetworkPolicy[]) {
	const failsafe = { ingress: [], egress: [] };
	return buildModel(ruleSets(policies), { posture: "block", allowlistScope: "direction", failsafe });
}

const low = (value: number, shift = 0n): Suffix => ({
	mask: 0xffffn << shift,
	value: BigInt(value) << shift,
});

/** The rule for ends of addresses instead. */
const ending = (written: NetworkRule, ...suffixes: readonly Suffix[]): NetworkRule => ({
	...written,
	peers: suffixes.map((suffix) => ({
		...{ cidr: blockAround(suffix), suffix, except: [], place: written.place },
	})),
});

test("ends that fare like all others have no box, whatever the other direction names", () => {
	const audit = ending(rule("Audit", { ports: ["tcp/22"] }, 1), low(5));
	const set = (port: string, block: string) => ({
		...policy("in", rule("Block", { peers: [block], interfaces: ["eth0"], ports: ["udp/53"] })),
		egress: [rule("Block", { ports: [port] }), audit],
	});
	const before = model(set("tcp/443", "10.0.0.0/8"));
	const after = model(set("tcp/444", "11.0.0.0/8"));
	const boxes = diffVerdicts(before, after);
	expect(boxes.filter(({ direction }) => direction === "egress").length).toBeGreaterThan(0);
	expect(boxes.filter(({ suffixes }) => suffixes !== undefined)).toEqual([]);
});

test("where two sets together tell too many kinds apart, each is asked about its own, and no kind twice", () => {
	const many = Array.from({ length: 30 }, (_, i) => i + 1);
	const shared = low(99);
	const block = (...suffixes: readonly Suffix[]) =>
		model(policy("b", ending(rule("Block"), shared, ...suffixes)));
	const before = block(...many.map((value) => low(value)));
	const after = block(...many.map((value) => low(value, 16n)));
	const kinds = kindsOf([before.ingress, after.ingress], 6).map(({ kind }) => kind.map(formatSuffix).join());
	expect([kinds.length, new Set(kinds).size]).toEqual([1 + 30 + 30 + 1 + 30, 1 + 30 + 30 + 1 + 30]);
	const boxes = diffVerdicts(before, after);
	const of = (suffix: Suffix) =>
		boxes
			.filter(({ suffixes }) => suffixes?.join() === formatSuffix(suffix))
			.map(({ before, after }) => `${before} ${after}`);
	expect([of(low(1)), of(low(1, 16n)), of(shared)]).toEqual([["Block Allow"], ["Allow Block"], []]);
});
