import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { groupFlows, groupings } from "../../../src/cli/journey/flow-groups.ts";
import { readFlows } from "../../../src/cli/journey/flows-file.ts";
import { flowJson, historyText, seenFlows } from "./support/flows.ts";

function flowsOf(...changes: readonly object[]) {
	const read = readFlows("f", historyText(changes.map((change) => ({ ...flowJson, ...change }))));
	if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
	return read.history.flows;
}

const some = flowsOf(
	{ remote: "192.0.2.7", count: 5, bytes: 100 },
	{ remote: "192.0.2.9", count: 2, action: "Block", policy: "DefaultPosture", port: 22 },
	{ remote: "192.0.2.0/26", count: 1, action: "Audit", bytes: 7 },
	{ remote: "2001:db8::7", count: 9, protocol: "icmpv6", port: null, policy: null },
	{ remote: "10.0.0.0/8", count: 3, new: true },
);

describe("keys", () => {
	test.each([
		["remote", ["2001:db8::7", "192.0.2.7", "10.0.0.0/8", "192.0.2.9", "192.0.2.0/26"]],
		["prefix", ["2001:db8::/64", "192.0.2.0/24", "10.0.0.0/8"]],
		["port", ["ingress icmpv6", "ingress tcp 443", "ingress tcp 22"]],
		["policy", ["(unknown)", "web", "DefaultPosture"]],
	] as const)("%s, the largest first", (grouping, expected) => {
		expect(groupFlows(some, grouping).map(({ key }) => key)).toEqual([...expected]);
	});

	test("sums", () => {
		expect(groupFlows(some, "prefix").find(({ key }) => key === "192.0.2.0/24")).toMatchObject({
			flows: 3,
			count: 8,
			allowed: 5,
			audited: 1,
			blocked: 2,
			bytes: 107,
			isNew: false,
		});
	});
});

test("however they are grouped, no flow and no count is lost", () => {
	const small = seenFlows.map((flow) => ({ ...flow, count: flow.count % 1000 }));
	fc.assert(
		fc.property(fc.array(small), fc.constantFrom(...groupings), (flows, grouping) => {
			const groups = groupFlows(flows, grouping);
			const total = (of: (group: (typeof groups)[number]) => number) =>
				groups.reduce((sum, group) => sum + of(group), 0);
			const count = flows.reduce((sum, flow) => sum + flow.count, 0);
			expect(total((group) => group.count)).toBe(count);
			expect(total((group) => group.allowed + group.audited + group.blocked)).toBe(count);
			expect(total((group) => group.flows)).toBe(flows.length);
			expect(new Set(groups.map(({ key }) => key)).size).toBe(groups.length);
			expect(groups.some(({ isNew }) => isNew)).toBe(flows.some(({ isNew }) => isNew));
			for (const { firstSeen, lastSeen } of groups) expect(firstSeen).toBeLessThanOrEqual(lastSeen);
		}),
	);
});
