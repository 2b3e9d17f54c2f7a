import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decideFlow, flowJudge, flowVerdict } from "../../../../src/enforcers/network/flows/flow-verdict.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import type { NetworkRule } from "../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../compile/build.ts";
import { options } from "../compile/options.ts";

setDefaultTimeout(180_000);

function flow(direction: "ingress" | "egress", remote: string, destinationPort: number): JudgedFlow {
	const cut = { family: 4, remote, protocol: 6, remotePort: 40_000, localPort: destinationPort } as const;
	return { direction, family: 4, local: "", remote, protocol: 6, destinationPort, cut };
}

const policies = [
	policy(
		"a",
		rule("Block", { ports: ["tcp/22"], interfaces: ["eth0"] }),
		rule("Block", { ports: ["tcp/23"], interfaces: ["eth*"] }),
		rule("Block", { ports: ["tcp/24"] }),
		rule("Allow", { ports: ["tcp/80"] }),
	),
];
const failsafe = {
	ingress: [
		{
			protocol: null,
			icmpType: null,
			cidr: cidr("192.0.2.0/24"),
			port: null,
			interface: { name: "eth1", prefix: false },
		},
	],
	egress: [],
};
const compiled = compileNetwork(policies, { ...options, failsafe });
if (!compiled.ok) throw new Error("the sample does not compile");
const { model, plan } = compiled;

test("many flows on many interfaces get the verdict that each gets alone", () => {
	const judge = flowJudge(model);
	for (const port of [22, 23, 24, 80, 9])
		for (const remote of ["192.0.2.7", "198.51.100.7", "nonsense"])
			for (const direction of ["ingress", "egress"] as const) {
				const one = flow(direction, remote, port);
				for (const name of ["eth0", "eth1", "eth2", "wlan0", "", "eth0"])
					expect(judge(one, name)).toBe(flowVerdict(decideFlow(model, one, name)));
			}
});

test("a Block that was in force before is told from a new one", () => {
	const before = new Set(plan.rules.filter(({ index }) => index === 2).map(({ counter }) => counter));
	const judge = flowJudge(model, before);
	expect(judge(flow("ingress", "198.51.100.7", 24), "eth0")).toBe("held");
	expect(judge(flow("ingress", "198.51.100.7", 23), "eth0")).toBe("blocked");
	expect(judge(flow("ingress", "198.51.100.7", 23), "wlan0")).toBe("posture");
});

describe("of who sends, as far as a socket tells it,", () => {
	const named = (users: readonly number[], groups: readonly number[]) => ({
		sender: { users, groups, services: [] },
	});
	function judgeOf(...egress: readonly NetworkRule[]) {
		const numbered = egress.map((item, index) => ({ ...item, index }));
		const result = compileNetwork([{ ...policy("u"), egress: numbered }], options);
		if (!result.ok) throw new Error("the sample does not compile");
		return flowJudge(result.model);
	}
	const of = (user: number | null): JudgedFlow => ({
		...flow("egress", "198.51.100.7", 443),
		...(user === null ? {} : { owner: { user, controlGroup: null } }),
	});

	test("the user is asked about, and the flow of nobody knows whom goes on", () => {
		const judge = judgeOf({ ...rule("Block"), ...named([1000], []) });
		expect([1000, 1001, null].map((user) => judge(of(user), "eth0"))).toEqual(["blocked", "other", "other"]);
	});

	test("a group ends only what would be blocked whichever group sent it", () => {
		const block = { ...rule("Block"), ...named([], [5, 6]) };
		expect(judgeOf(block)(of(1000), "eth0")).toBe("other");
		expect(judgeOf(block, rule("Block"))(of(1000), "eth0")).toBe("blocked");
		const spared = { ...rule("Allow"), ...named([], [7]) };
		expect(judgeOf(spared, rule("Block", { peers: ["198.51.100.0/24"] }))(of(1000), "eth0")).toBe("blocked");
		expect(judgeOf(spared, rule("Block"))(of(1000), "eth0")).toBe("other");
	});

	test("many groups are not gone through for each flow that goes on", () => {
		const groups = Array.from({ length: 200 }, (_, i) => i);
		const one = judgeOf({ ...rule("Block"), ...named([], [0]) });
		const many = judgeOf({ ...rule("Block"), ...named([], groups) });
		const seconds = (judge: ReturnType<typeof flowJudge>) => {
			const { user } = process.cpuUsage();
			for (let i = 0; i < 500; i++) judge(of(i), "eth0");
			return process.cpuUsage({ user, system: 0 }).user;
		};
		seconds(one);
		// Hundreds of times as much where each flow asks for each group.
		expect(seconds(many)).toBeLessThan(30 * (seconds(one) + 1000));
	});
});
