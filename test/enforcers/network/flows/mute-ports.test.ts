import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { mutePorts } from "../../../../src/enforcers/network/flows/mute-ports.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import { cidr, policy, rule } from "../compile/build.ts";
import { options } from "../compile/options.ts";

function muted(
	policies: readonly NetworkPolicy[],
	{
		ports = [7000],
		before = [],
		mutedBefore = [],
	}: { ports?: number[]; before?: string[]; mutedBefore?: number[] } = {},
	failsafe = options.failsafe,
) {
	const compiled = compileNetwork(policies, { ...options, failsafe });
	if (!compiled.ok) throw new Error("the sample does not compile");
	const { model, plan } = compiled;
	const interfaces = ["eth0", "eth1", ""];
	const known = new Set(before.length > 0 ? plan.rules.map(({ counter }) => counter) : []);
	return mutePorts(model, { ports, interfaces, before: known, muted: new Set(mutedBefore) });
}

const everywhere = (family: 4 | 6, first: string, last: string, port = 7000) => ({
	family,
	interface: null,
	port,
	first,
	last,
});
const all6 = everywhere(6, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

test("a port is muted towards all whom a Block shuts out, less what is carved out of it or failsafe", () => {
	const set = [
		policy(
			"a",
			rule("Block", { ports: ["udp/7000-7010"] }),
			rule("Allow", { ports: ["udp/7000"], peers: ["10.0.0.0/8"] }),
			rule("Block", { ports: ["tcp/7001"] }),
		),
	];
	const reach = {
		ingress: [{ protocol: null, icmpType: null, cidr: cidr("192.0.2.0/24"), port: null, interface: null }],
		egress: [],
	};
	expect(muted(set, { ports: [7000, 8000] }, reach)).toEqual({
		ports: [
			everywhere(4, "0.0.0.0", "9.255.255.255"),
			everywhere(4, "11.0.0.0", "192.0.1.255"),
			everywhere(4, "192.0.3.0", "255.255.255.255"),
			all6,
		],
		overflow: 0,
	});
});

test("a Block of some interfaces mutes there", () => {
	const set = [policy("a", rule("Block", { interfaces: ["eth0"], peers: ["198.51.100.7/32"] }))];
	expect(muted(set).ports).toEqual([
		{ family: 4, interface: "eth0", port: 7000, first: "198.51.100.7", last: "198.51.100.7" },
	]);
});

test("what a Block that was in force before shuts out began under it, unless the port is muted already", () => {
	const set = [policy("a", rule("Block", { ports: ["udp/7000"] }))];
	expect(muted(set, { before: ["all"] }).ports).toEqual([]);
	expect(muted(set, { before: ["all"], mutedBefore: [7000] }).ports).toEqual([
		everywhere(4, "0.0.0.0", "255.255.255.255"),
		all6,
	]);
});

test("the posture mutes nothing, and neither do Blocks of what this host opens", () => {
	expect(muted([policy("a", rule("Allow", { ports: ["udp/1"] }))]).ports).toEqual([]);
	const out = { ...policy("a"), egress: [rule("Block", { ports: ["udp/7000"] })] };
	expect(muted([out]).ports).toEqual([]);
});

test("a port with more regions than there is room for is counted", () => {
	const peers = Array.from({ length: 2000 }, (_, index) => `10.${index >> 7}.${(index & 127) * 2}.0/24`);
	expect(muted([policy("a", rule("Block", { peers }))], { ports: [7000, 7001] })).toEqual({
		ports: [],
		overflow: 2,
	});
});
