import { expect, test } from "bun:test";
import { networkReport } from "../../../../src/enforcers/network/report/network-report.ts";
import { sampleNetwork, sampleState } from "../../../report/sample.ts";

test("a policy is in force when the kernel has it, and counts what its rules counted", () => {
	const [rule] = sampleNetwork.rules;
	if (rule === undefined) throw new Error("the sample has a rule");
	const posture = { ...rule, policy: "DefaultPosture", index: -1 };
	const rules = [rule, { ...rule, index: 1, action: "Allow", packets: 2, bytes: 20 } as const, posture];
	const use = {
		direction: "ingress",
		index: 0,
		action: "Block",
		packets: 7,
		since: 1,
		lastMatch: 2,
	} as const;
	const ruleUses = ["np1", "np3"].map((policy) => ({ ...use, policy }));
	const report = networkReport({ ...sampleNetwork, rules, ruleUses });
	const kind = "KubeArmorNetworkPolicy";
	expect(report.policy({ name: "np1", kind })).toEqual({
		active: true,
		traffic: { packets: 9, bytes: 440, decisions: { Block: 7, Allow: 2 } },
		rules: [{ ...use, policy: "np1" }],
	});
	expect(report.policy({ name: "np2", kind })).toEqual({
		active: false,
		traffic: { packets: 0, bytes: 0, decisions: {} },
		rules: [],
		staged: { evaluated: 1200, wouldBlock: 3, sinceGeneration: 2, since: expect.any(String) },
	});
	expect(report.policy({ name: "np1", kind: "KubeArmorHostPolicy" })).toBe(null);
	expect(report.sums).toEqual({ unmatched: { ingress: 7, egress: 0 } });
});

test("what keeps the daemon from being ready is an enforcer that is wanted and not to be had", () => {
	const told = (state: "active" | "unavailable" | "disabled" | "open") => {
		const { obstacle, remark } = networkReport({
			...sampleNetwork,
			state: { ...sampleNetwork.state, state, reason: "no nf_tables" },
		});
		return [obstacle, remark];
	};
	expect(told("active")).toEqual(["", ""]);
	expect(told("open")).toEqual(["", ""]);
	expect(told("unavailable")).toEqual(["the network enforcer is unavailable: no nf_tables", ""]);
	expect(told("disabled")).toEqual(["", "the network enforcer is disabled"]);
});

test("its cards show its mode, its ruleset, and what the daemon gave up", () => {
	const { confinement } = sampleState();
	const cards = networkReport({ ...sampleNetwork, drift: 17 }).cards({ confinement, policies: 1234 });
	const text = cards.map((card) => card.text).join("");
	expect(text).toContain("812 known, 3 new, 2 merged, 1 lost");
	for (const fact of ["allowlist: unmatched is blocked", "unmatched is accepted", ">17<", ">1,234<"])
		expect(text).toContain(fact);
	expect(text).toContain("6 ingress, 0 egress");
	expect(text).toContain("ingress[0] TCP 22 from 192.0.2.0/24");
	expect(text).toContain("filter_INPUT");
});
