import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decideFlow, flowVerdict } from "../../../../src/enforcers/network/flows/flow-verdict.ts";
import type { JudgedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../compile/build.ts";
import { options } from "../compile/options.ts";

function flow(remote: string, destinationPort: number, protocol = 6): JudgedFlow {
	const family = remote.includes(":") ? 6 : 4;
	const cut = { family, remote, protocol, remotePort: 40000, localPort: destinationPort } as const;
	return { direction: "ingress", family, local: "", remote, protocol, destinationPort, cut };
}

function verdicts(
	policies: readonly NetworkPolicy[],
	flows: readonly JudgedFlow[],
	failsafe = options.failsafe,
) {
	const compiled = compileNetwork(policies, { ...options, failsafe });
	if (!compiled.ok) throw new Error("the sample does not compile");
	return flows.map((one) => flowVerdict(decideFlow(compiled.model, one, "eth0")));
}

test("an explicit Block ends a flow; an Allow, an Audit, the posture and no rule do not", () => {
	const flows = [flow("10.0.0.1", 22), flow("10.0.0.1", 80), flow("10.0.0.1", 53, 17), flow("10.0.0.1", 9)];
	const set = [
		policy("a", rule("Block", { ports: ["tcp/22"] }), rule("Allow", { ports: ["tcp/80"] })),
		policy("b", rule("Audit", { ports: ["udp/53"] })),
	];
	expect(verdicts(set, flows)).toEqual(["blocked", "other", "other", "posture"]);
	expect(verdicts([], flows)).toEqual(["other", "other", "other", "other"]);
});

test("a Block ends a flow to an IPv4-mapped address, too", () => {
	const everywhere = policy("a", rule("Block", { peers: ["::/0"] }));
	expect(verdicts([everywhere], [flow("::ffff:1.2.3.4", 22)])).toEqual(["blocked"]);
});

test("a failsafe rule spares a flow; a policy of that name does not", () => {
	const ssh = {
		protocol: "tcp",
		cidr: cidr("2001:db8::/32"),
		port: { first: 22, last: 22 },
		interface: null,
	} as const;
	const flows = [flow("2001:db8::1", 22), flow("2001:db9::1", 22), flow("2001:db8::1", 22, 17)];
	const set = [policy("Failsafe", rule("Block"))];
	expect(verdicts(set, flows, { ingress: [ssh], egress: [] })).toEqual(["failsafe", "blocked", "blocked"]);
});

test("a flow is judged by its source port and by the type of its first packet", () => {
	const outward: JudgedFlow = {
		...flow("10.0.0.1", 53, 17),
		direction: "egress",
		cut: { family: 4, remote: "10.0.0.1", protocol: 17, remotePort: 53, localPort: 40000 },
	};
	const echo = (icmpType: number): JudgedFlow => ({ ...flow("10.0.0.1", 0, 1), icmpType });
	const flows = [flow("10.0.0.1", 53, 17), outward, echo(8), echo(13), flow("10.0.0.1", 0, 47)];
	const by = (ports: string) => {
		const block = rule("Block", { ports: [ports] });
		return verdicts([{ ...policy("a", block), egress: [block] }], flows).map((said) => said === "blocked");
	};
	expect(by("udp<40000")).toEqual([true, true, false, false, false]);
	expect(by("udp<53")).toEqual([false, false, false, false, false]);
	expect(by("1<8")).toEqual([false, false, true, false, false]);
	expect(by("1")).toEqual([false, false, true, true, false]);
	expect(by("47")).toEqual([false, false, false, false, true]);
});

test("a rule for everything, and a remote end that is no address", () => {
	expect(verdicts([policy("a", rule("Block"))], [flow("10.0.0.1", 0, 47), flow("nowhere", 22)])).toEqual([
		"blocked",
		"other",
	]);
});
