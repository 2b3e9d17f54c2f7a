import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decideFlow, flowJudge, flowVerdict } from "../../../../src/enforcers/network/flows/flow-verdict.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import { cidr, policy, rule } from "../compile/build.ts";
import { options } from "../compile/options.ts";

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
