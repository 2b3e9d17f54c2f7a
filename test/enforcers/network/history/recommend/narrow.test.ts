import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { FlowJudge } from "../../../../../src/enforcers/network/history/flow-judge.ts";
import { broadRules } from "../../../../../src/enforcers/network/history/recommend/narrow.ts";
import { ruleText } from "../../../../../src/enforcers/network/history/recommend/policy-text.ts";
import type { SeenFlow } from "../../../../../src/enforcers/network/history/seen-flow.ts";
import {
	type NetworkPolicy,
	type NetworkRule,
	networkPart,
} from "../../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../../src/engine/parse.ts";
import { policy, type RuleText, rule } from "../../compile/build.ts";
import { policySets } from "../../compile/generate.ts";
import { flow, guestFlow, seenFlows } from "../support/flows.ts";

const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;
const modelOf = (policies: readonly NetworkPolicy[]) =>
	buildModel(ruleSets(policies), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
		guests,
	});

function narrow(text: RuleText, flows: readonly SeenFlow[]): string[] {
	const policies = [policy("web", rule("Allow", text))];
	const wish = { minCount: 1, aggregate: "auto", essentials: true } as const;
	return broadRules(policies, modelOf(policies), flows, wish).flatMap(({ narrower, flows: count }) =>
		narrower.length === 0
			? `nothing of ${count}`
			: narrower.map((one) => ruleText(one.service, one.rule, "Allow").replaceAll(/^#.*\n/gmu, "")),
	);
}

const peers = (...blocks: readonly string[]) =>
	`  from:\n${blocks.map((block) => `  - ipBlock:\n      cidr: ${block}\n`).join("")}`;
const end = (port: number, ...links: readonly string[]) =>
	`${links.length === 0 ? "" : `  iface:\n${links.map((link) => `  - ${link}\n`).join("")}`}  ports:\n  - protocol: TCP\n    port: ${port}\n`;

describe("a rule that allows more than was seen", () => {
	const client = flow("ingress tcp 443 from 10.0.0.1");

	test.each<readonly [string, RuleText, readonly SeenFlow[], readonly string[]]>([
		[
			"any address",
			{ ports: ["tcp/443"] },
			[client],
			[`- action: Allow\n${peers("10.0.0.1")}${end(443, "eth0")}`],
		],
		[
			"a range of ports",
			{ peers: ["10.0.0.1/32"], ports: ["tcp/440-443"], interfaces: ["eth0"] },
			[client],
			[`- action: Allow\n${peers("10.0.0.1")}${end(443, "eth0")}`],
		],
		["never used", { ports: ["tcp/22"] }, [client], ["nothing of 0"]],
		[
			"and no wider than it is where its clients make a network",
			{ peers: ["10.0.0.0/25", "10.0.0.192/26"], ports: ["tcp/443"] },
			[1, 2, 3].map((host) => flow(`ingress tcp 443 from 10.0.0.${host}`)),
			[`- action: Allow\n${peers("10.0.0.0/25", "10.0.0.192/26")}${end(443, "eth0")}`],
		],
	])("%s", (_, text, flows, wanted) => {
		expect(narrow(text, flows)).toEqual([...wanted]);
	});

	test("is none where all of it was seen, by guests or the host, or where records cannot tell", () => {
		const own = { peers: ["10.0.0.1/32"], ports: ["tcp/443"], interfaces: ["eth0"] };
		expect(narrow(own, [client])).toEqual([]);
		expect(narrow(own, [guestFlow("ingress tcp 443 from 10.0.0.1")])).toEqual([]);
		expect(
			narrow({ ...own, ports: ["tcp/443", "tcp/444"] }, [client, flow("ingress tcp 444 from 10.0.0.1")]),
		).toEqual([]);
		expect(narrow({ ...own, ports: ["tcp/443<1024-2000"] }, [client])).toEqual([]);
	});
});

describe("left alone is", () => {
	const wish = { minCount: 1, aggregate: "auto", essentials: true } as const;
	const connections = { max: 3, per: "rule", prefix6: 128 } as const;
	const quota = { bytes: 2 ** 20, limit: "1MB", seconds: 60 };

	test.each<readonly [string, Partial<NetworkRule>]>([
		[
			"a limit, as several in its place would multiply what it gives",
			{ limits: { connections, exceedAction: "Block" } },
		],
		["a quota, for the same reason", { quota }],
		["a sender, whom no record of a flow has", { sender: { users: [1000], groups: [], services: [] } }],
	])("a rule with %s", (_, more) => {
		const written = { ...rule("Allow", { ports: ["tcp/22"] }), ...more };
		const policies = [{ ...policy("web"), egress: [written] }];
		const seen = [flow("egress tcp 22 to 10.0.0.1")];
		expect(broadRules(policies, modelOf(policies), seen, wish)).toEqual([]);
	});
});

test("narrower rules are valid, and let in nothing that the broad one keeps out", () => {
	fc.assert(
		fc.property(policySets, fc.array(seenFlows, { maxLength: 30 }), (policies, flows) => {
			const model = modelOf(policies);
			const wish = { minCount: 1, aggregate: "none", essentials: true } as const;
			for (const { rule: broad, narrower, leftOut, flows: count } of broadRules(
				policies,
				model,
				flows,
				wish,
			)) {
				const list = narrower.map((one) => ruleText(one.service, one.rule, "Allow")).join("");
				if (list === "") {
					expect(leftOut).toBe(count);
					continue;
				}
				const indented = list.replaceAll(/^(?=.)/gmu, "  ");
				const head =
					'apiVersion: security.kubearmor.com/v1\nkind: KubeArmorNetworkPolicy\nmetadata: { name: n }\nspec:\n  nodeSelector: { matchLabels: { a: "*" } }\n';
				const { documents } = parsePolicyFile("n.yaml", `${head}  ${broad.direction}:\n${indented}`);
				expect(
					documents.flatMap(({ diagnostics }) => diagnostics.filter((one) => one.severity === "error")),
				).toEqual([]);
				const judge = new FlowJudge(modelOf(networkPart.in(documents)));
				const old = policies.find(({ name }) => name === broad.policy);
				const alone = old?.[broad.direction].find(({ index }) => index === broad.index);
				if (old === undefined || alone === undefined) throw new Error("the rule is one of the policies");
				const wide = { ...old, ingress: [], egress: [], [broad.direction]: [alone] };
				const before = new FlowJudge(modelOf([wide]));
				for (const one of flows.filter(({ direction }) => direction === broad.direction))
					if (judge.judge(one).passes !== null) expect(before.judge(one).passes).not.toBeNull();
			}
		}),
		{ numRuns: 60 },
	);
});
