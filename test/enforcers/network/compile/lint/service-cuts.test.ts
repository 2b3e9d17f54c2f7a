/** What a set would cut of what runs on a host; that the host is read right is shown in test/enforcers/network/run/host-lint.test.ts. */

import { describe, expect, test } from "bun:test";
import { defaultConfig } from "../../../../../src/config/parse.ts";
import {
	type HostSocket,
	hostServices,
} from "../../../../../src/enforcers/network/compile/lint/host-services.ts";
import {
	serviceCuts,
	serviceWarnings,
} from "../../../../../src/enforcers/network/compile/lint/service-cuts.ts";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../../../../src/enforcers/network/model.ts";
import { compileOptions } from "../../../../../src/enforcers/network/run/compile-options.ts";
import { parsePolicyFile } from "../../../../../src/engine/parse.ts";
import { documents, policy, port } from "../../../../system/support/case.ts";

function cuts(text: string, sockets: readonly HostSocket[], kinds: readonly string[] = [], links = ["eth0"]) {
	const policies = networkPart.in(parsePolicyFile("/p.yaml", text).documents);
	const compiled = compileNetwork(policies, compileOptions(defaultConfig(), "t", "concatenated"));
	if (!compiled.ok) throw new Error("the policies do not compile");
	return serviceCuts(compiled.model, hostServices(sockets, kinds), links);
}
const told = (...args: Parameters<typeof cuts>) =>
	cuts(...args).map(
		({ service, need }) =>
			`${service} ${need.direction} ${need.protocol}${need.port === null ? "" : ` ${need.port}`}${need.address === null ? "" : ` ${need.address}`}`,
	);

const socket = (kind: HostSocket["kind"], number: number, over: Partial<HostSocket> = {}): HostSocket => ({
	kind,
	family: 4,
	local: "0.0.0.0",
	number,
	remotePort: 0,
	...over,
});
const allow = (rules: Readonly<Record<string, unknown>>, name = "only") =>
	policy(name, { action: "Allow", ...rules });
const sshOnly = allow({ ingress: [{ ports: [port("TCP", 22)] }], egress: [{ ports: [port("TCP", 443)] }] });

describe("under an allow-list", () => {
	test("keepalived's VRRP is cut both ways, until it is allowed", () => {
		const vrrp = [socket("raw", 112)];
		expect(told(sshOnly, vrrp)).toEqual([
			"VRRP (keepalived) ingress 112",
			"VRRP (keepalived) egress 112 224.0.0.18",
		]);
		const rule = { ports: [{ protocol: "VRRP" }] };
		expect(told(documents(sshOnly, allow({ ingress: [rule], egress: [rule] }, "vrrp")), vrrp)).toEqual([]);
	});

	test.each([
		["a DHCP server", socket("udp", 67), ["ingress udp 67", "egress udp 68"]],
		["mDNS", socket("udp", 5353), ["ingress udp 5353", "egress udp 5353 224.0.0.251"]],
		["NTP", socket("udp", 123), ["ingress udp 123", "egress udp 123"]],
		["NTP", socket("udp", 323, { local: "127.0.0.1" }), ["egress udp 123"]],
		["NTP", socket("udp", 40_123, { local: "192.0.2.1", remotePort: 123 }), ["egress udp 123"]],
		["TFTP", socket("udp", 69), ["ingress udp 69", "egress udp 40000"]],
		["OSPF", socket("raw", 89), ["ingress 89", "egress 89 224.0.0.5"]],
		["a program that listens on TCP 8080", socket("tcp", 8080), ["ingress tcp 8080"]],
	])("%s needs what it needs", (name, own, needs) => {
		expect(told(sshOnly, [own])).toEqual(needs.map((need) => `${name} ${need}`));
	});

	test("WireGuard's port is known by its link", () => {
		const own = [socket("udp", 51_820)];
		expect(told(sshOnly, own)).toEqual([]);
		expect(told(sshOnly, own, ["wireguard"])).toEqual(["WireGuard on UDP 51820 ingress udp 51820"]);
		expect(told(sshOnly, [], ["gre"])).toEqual(["a gre tunnel ingress 47", "a gre tunnel egress 47"]);
	});

	test("what is allowed to anybody at all, on one interface, is not cut", () => {
		const own = [socket("tcp", 8080)];
		const some = allow({
			ingress: [{ from: [{ ipBlock: { cidr: "10.1.0.0/16" } }], ports: [port("TCP", 8080)] }],
		});
		expect(told(some, own)).toEqual([]);
		const inside = allow({ ingress: [{ iface: ["eth1"], ports: [port("TCP", 8080)] }] });
		expect(told(inside, own, [], ["eth0", "eth1"])).toEqual([]);
		expect(told(inside, own, [], ["eth0"])).toHaveLength(1);
	});

	test("loopback, ping, DHCP clients and what asks from any port are nobody's business", () => {
		const own = [
			socket("tcp", 8080, { local: "127.0.0.1" }),
			socket("tcp", 8080, { local: "::1", family: 6 }),
			...[1, 58, 255].map((number) => socket("raw", number)),
			socket("udp", 68),
			socket("udp", 45_000),
		];
		expect(told(sshOnly, own)).toEqual([]);
	});
});

test("without an allow-list only what is blocked is cut", () => {
	const own = [socket("tcp", 80), socket("tcp", 81), socket("raw", 112)];
	expect(told(policy("b", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] }), own)).toEqual([
		"a program that listens on TCP 81 ingress tcp 81",
	]);
});

test("a warning for each service and direction, at the rule that is to blame or at the set", () => {
	const own = [socket("raw", 112), socket("raw", 112, { family: 6, local: "::" })];
	const [ingress, egress, ...more] = serviceWarnings(cuts(sshOnly, own), "/set");
	expect(more).toEqual([]);
	expect(ingress).toMatchObject({ file: "/set", code: "host-service-cut", severity: "warning" });
	expect(egress?.message).toBe(
		"VRRP (keepalived) runs on this host, and its outgoing VRRP to 224.0.0.18 would be dropped: no rule allows it, and egress is an allow-list",
	);
	expect(egress?.hint).toContain("egress: [{action: Allow, ports: [{protocol: VRRP}]}]");
	const block = policy("b", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] });
	expect(serviceWarnings(cuts(block, [socket("tcp", 81)]), "/set")).toMatchObject([
		{ file: "/p.yaml", message: expect.stringContaining('Block ingress[0] of policy "b"') },
	]);
});
