/** The cases of truth-table.test.ts: what policies say, and which packets pass for that. */

import { block, cross, documents, type Expectation, policy, port } from "../support/case.ts";

export interface Case extends Expectation {
	readonly name: string;
	readonly policies: string;
}

/** Remote hosts A, B and C, in both families. */
const everything = cross(
	"ingress|egress tcp|udp|sctp 10.1.0.10|10.2.0.10|2001:db8:a::10|2001:db8:b::10 80|8080",
);

/** `ingress` with `from`, `egress` with `to`: the same rule in both directions. */
export function bothWays(rule: Readonly<Record<string, unknown>>, peers?: readonly unknown[]) {
	return {
		ingress: [{ ...rule, ...(peers ? { from: peers } : {}) }],
		egress: [{ ...rule, ...(peers ? { to: peers } : {}) }],
	};
}

export const cases: readonly Case[] = [
	{ name: "no policy: everything passes", policies: "", pass: everything },
	{
		name: "an empty list of rules says nothing",
		policies: policy("p", { action: "Block", ingress: [], egress: [] }),
		pass: everything,
	},
	{
		name: "an empty rule matches everything in its direction",
		policies: policy("p", { action: "Block", ingress: [{}] }),
		pass: everything.filter((line) => line.startsWith("egress")),
		drop: everything.filter((line) => line.startsWith("ingress")),
	},
	{
		name: "the same for egress",
		policies: policy("p", { action: "Block", egress: [{}] }),
		pass: everything.filter((line) => line.startsWith("ingress")),
		drop: everything.filter((line) => line.startsWith("egress")),
	},
	{
		name: "a missing action means Block",
		policies: policy("p", { ingress: [{ ports: [port("TCP", 80)] }] }),
		pass: cross("ingress tcp 10.1.0.10 81", "ingress udp 10.1.0.10 80", "egress tcp 10.1.0.10 80"),
		drop: cross("ingress tcp 10.1.0.10|2001:db8::1 80"),
	},
	{
		name: "without peers: any address of both families",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("UDP", 53)] }) }),
		pass: cross("ingress|egress tcp 10.1.0.10|2001:db8:a::10 53"),
		drop: cross("ingress|egress udp 10.1.0.10|8.8.8.8|2001:db8:a::10 53"),
	},
	{
		name: "empty peers: any address of both families",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("UDP", 53)] }, []) }),
		drop: cross("ingress|egress udp 10.1.0.10|2001:db8:a::10 53"),
	},
	{
		name: "without ports: every protocol and port",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("10.1.0.0/16")]) }),
		pass: cross("ingress|egress tcp|udp|sctp 10.2.0.10|2001:db8:a::10 1|80|65535"),
		drop: cross("ingress|egress tcp|udp|sctp 10.1.0.10 1|80|65535", "ingress|egress icmp 10.1.0.10"),
	},
	{
		name: "empty ports: every protocol and port",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [] }, [block("10.1.0.0/16")]) }),
		drop: cross("ingress|egress tcp|udp|sctp 10.1.0.10 1|80|65535"),
	},
	{
		name: "a protocol without a port: that protocol alone, every port",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("UDP")] }) }),
		pass: cross("ingress|egress tcp|sctp 10.1.0.10|2001:db8:a::10 80"),
		drop: cross("ingress|egress udp 10.1.0.10|2001:db8:a::10 1|80|65535"),
	},
	{
		name: "a port without a protocol: TCP",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("", 80)] }) }),
		pass: cross("ingress|egress udp|sctp 10.1.0.10 80", "ingress|egress tcp 10.1.0.10 81"),
		drop: cross("ingress|egress tcp 10.1.0.10|2001:db8:a::10 80"),
	},
	{
		name: "ports as numbers, numeric strings and service names in any case",
		policies: policy("p", {
			action: "Block",
			ingress: [
				{ ports: [port("tcp", "SSH"), port("Udp", "Domain"), port("TCP", "443"), port("TCP", 5432)] },
			],
		}),
		pass: cross("ingress tcp 10.1.0.10 21|23|53|442|5431", "ingress udp 10.1.0.10 22|443"),
		drop: cross("ingress tcp 10.1.0.10|2001:db8::1 22|443|5432", "ingress udp 10.1.0.10|2001:db8::1 53"),
	},
	{
		name: "the edges of a port range",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("TCP", 8000, 9000)] }) }),
		pass: cross("ingress|egress tcp 10.1.0.10|2001:db8:a::10 7999|9001", "ingress|egress udp 10.1.0.10 8500"),
		drop: cross("ingress|egress tcp 10.1.0.10|2001:db8:a::10 8000|8500|9000"),
	},
	{
		name: "the whole port range and its last port",
		policies: documents(
			policy("a", { action: "Block", ingress: [{ ports: [port("SCTP", 1, 65535)] }] }),
			policy("b", { action: "Block", ingress: [{ ports: [port("UDP", 65535)] }] }),
		),
		pass: cross("ingress udp 10.1.0.10 65534", "ingress tcp 10.1.0.10 1"),
		drop: cross("ingress sctp 10.1.0.10 1|65535", "ingress udp 10.1.0.10 65535"),
	},
	{
		name: "SCTP is neither TCP nor UDP on its port",
		policies: policy("p", { action: "Block", ...bothWays({ ports: [port("SCTP", 80)] }) }),
		pass: cross("ingress|egress tcp|udp 10.1.0.10|2001:db8:a::10 80", "ingress|egress sctp 10.1.0.10 81"),
		drop: cross("ingress|egress sctp 10.1.0.10|2001:db8:a::10 80"),
	},
	{
		name: "a block of addresses and its edges",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("10.1.0.0/24")]) }),
		pass: cross("ingress|egress tcp 10.0.255.255|10.1.1.0 80"),
		drop: cross("ingress|egress tcp 10.1.0.1|10.1.0.128|10.1.0.254 80"),
	},
	{
		name: "an IPv6 block and its edges",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("2001:db8:a::/48")]) }),
		pass: cross("ingress|egress tcp 2001:db8:9:ffff::1|2001:db8:b:: 80"),
		drop: cross("ingress|egress tcp 2001:db8:a::1|2001:db8:a:ffff:ffff:ffff:ffff:ffff 80"),
	},
	{
		name: "holes",
		policies: policy("p", {
			action: "Block",
			...bothWays({}, [
				block("10.1.0.0/24", "10.1.0.16/28", "10.1.0.200/32"),
				block("2001:db8:a::/48", "2001:db8:a:1::/64"),
			]),
		}),
		pass: cross("ingress|egress udp 10.1.0.16|10.1.0.31|10.1.0.200|2001:db8:a:1::1 80"),
		drop: cross("ingress|egress udp 10.1.0.15|10.1.0.32|10.1.0.199|10.1.0.201|2001:db8:a:2::1 80"),
	},
	{
		name: "a hole as large as its block leaves nothing",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("10.1.0.0/24", "10.1.0.0/24")]) }),
		pass: cross("ingress|egress udp 10.1.0.1|10.1.0.254|10.2.0.1 80"),
	},
	{
		name: "all of IPv4 is not IPv6",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("0.0.0.0/0")]) }),
		pass: cross("ingress|egress tcp|udp 2001:db8:a::10 80"),
		drop: cross("ingress|egress tcp|udp 10.1.0.10|223.255.255.254 80"),
	},
	{
		name: "all of IPv6 is not IPv4",
		policies: policy("p", { action: "Block", ...bothWays({}, [block("::/0")]) }),
		pass: cross("ingress|egress tcp|udp 10.1.0.10 80"),
		drop: cross("ingress|egress tcp|udp 2001:db8:a::10|fd00::1 80"),
	},
	{
		name: "single addresses, pairs, bare addresses and host bits",
		policies: policy("p", {
			action: "Block",
			...bothWays({}, [
				block("10.1.0.1/32"),
				block("10.1.0.4/31"),
				block("10.1.0.9"),
				block("2001:db8::1/128"),
				block("2001:db8::9"),
				block("10.3.0.77/24"),
			]),
		}),
		pass: cross(
			"ingress|egress tcp 10.1.0.0|10.1.0.2|10.1.0.3|10.1.0.6|10.1.0.8|10.1.0.10|10.2.255.255|10.4.0.0|2001:db8::|2001:db8::2|2001:db8::8 80",
		).filter((line) => !line.includes("tcp 10.1.0.0 ")),
		drop: cross(
			"ingress|egress tcp 10.1.0.1|10.1.0.4|10.1.0.5|10.1.0.9|10.3.0.1|10.3.0.254|2001:db8::1|2001:db8::9 80",
		),
	},
	{
		name: "peers are alternatives, peers and ports must both match, rules are alternatives",
		policies: policy("p", {
			action: "Block",
			ingress: [
				{ from: [block("10.1.0.0/16"), block("2001:db8:a::/48")], ports: [port("TCP", 80), port("UDP", 81)] },
				{ from: [block("10.2.0.0/16")], ports: [port("TCP", 82)] },
			],
		}),
		pass: cross(
			"ingress tcp 10.1.0.10|2001:db8:a::10 81|82",
			"ingress tcp 10.2.0.10 80",
			"ingress udp 10.1.0.10 80",
			"ingress tcp 10.3.0.10 80|82",
		),
		drop: cross(
			"ingress tcp 10.1.0.10|2001:db8:a::10 80",
			"ingress udp 10.1.0.10|2001:db8:a::10 81",
			"ingress tcp 10.2.0.10 82",
		),
	},
	{
		name: "a narrow Block carves into a broad Allow",
		policies: documents(
			policy("all", { action: "Allow", ingress: [{ from: [block("0.0.0.0/0"), block("::/0")] }] }),
			policy("some", {
				action: "Block",
				ingress: [{ from: [block("10.1.0.0/16")], ports: [port("TCP", 80)] }],
			}),
		),
		pass: cross(
			"ingress tcp 10.1.0.10 81",
			"ingress tcp 10.2.0.10|2001:db8::1 80",
			"ingress udp 10.1.0.10 80",
		),
		drop: cross("ingress tcp 10.1.0.10 80"),
	},
	{
		name: "a narrow Allow carves into a broad Block",
		policies: documents(
			policy("none", { action: "Block", ingress: [{ ports: [port("TCP", 22)] }] }),
			policy("jump", {
				action: "Allow",
				ingress: [{ from: [block("192.168.10.0/28")], ports: [port("TCP", 22)] }],
			}),
			policy("rest", { action: "Allow", ingress: [{}] }),
		),
		pass: cross("ingress tcp 192.168.10.1|192.168.10.14 22", "ingress udp|tcp 10.1.0.10 80"),
		drop: cross("ingress tcp 192.168.10.16|10.1.0.10|2001:db8::1 22"),
	},
	{
		name: "nested exceptions alternate",
		policies: documents(
			policy("a", { action: "Block", ingress: [{ from: [block("10.0.0.0/8")] }] }),
			policy("b", { action: "Allow", ingress: [{ from: [block("10.1.0.0/16")] }] }),
			policy("c", { action: "Block", ingress: [{ from: [block("10.1.1.0/24")] }] }),
			policy("d", { action: "Allow", ingress: [{ from: [block("10.1.1.1/32")] }] }),
			policy("rest", { action: "Allow", ingress: [{}] }),
		),
		pass: cross("ingress tcp 11.0.0.1|10.1.0.1|10.1.1.1 80"),
		drop: cross("ingress tcp 10.0.0.1|10.2.0.1|10.1.1.2 80"),
	},
	{
		name: "rules that merely overlap: the strictest wins",
		policies: documents(
			policy("net", { action: "Allow", ingress: [{ from: [block("10.1.0.0/16")] }] }),
			policy("service", { action: "Block", ingress: [{ ports: [port("TCP", 23)] }] }),
		),
		pass: cross("ingress tcp 10.1.0.10 22|24", "ingress udp 10.1.0.10 23"),
		drop: cross("ingress tcp 10.1.0.10|10.2.0.10 23", "ingress tcp 10.2.0.10 22"),
	},
	{
		name: "Audit beats Allow, Block beats Audit, whatever the order in the file",
		policies: documents(
			policy("a-audit", {
				action: "Audit",
				ingress: [{ ports: [port("TCP", 80)] }, { ports: [port("TCP", 81)] }],
			}),
			policy("b-block", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] }),
			policy("c-allow", {
				action: "Allow",
				ingress: [{ ports: [port("TCP", 80)] }, { ports: [port("TCP", 81)] }],
			}),
		),
		pass: cross("ingress tcp 10.1.0.10 81"),
		drop: cross("ingress tcp 10.1.0.10 80|82"),
	},
	{
		name: "an Allow closes its own direction and no other",
		policies: policy("p", { action: "Allow", ingress: [{ ports: [port("TCP", 22)] }] }),
		pass: cross("ingress tcp 10.1.0.10|2001:db8::1 22", "egress tcp|udp|sctp 10.1.0.10|2001:db8::1 80"),
		drop: cross(
			"ingress tcp 10.1.0.10|2001:db8::1 80",
			"ingress udp|sctp 10.1.0.10|2001:db8::1 22",
			"ingress icmp 10.1.0.10",
		),
	},
	{
		name: "an IPv4 Allow opens nothing for IPv6",
		policies: policy("p", {
			action: "Allow",
			ingress: [{ from: [block("10.0.0.0/8")], ports: [port("TCP", 22)] }],
		}),
		pass: cross("ingress tcp 10.1.0.10 22"),
		drop: cross("ingress tcp 11.1.0.10|2001:db8::1 22"),
	},
	{
		name: "a rule's own action overrides its policy's",
		policies: policy("p", {
			action: "Allow",
			ingress: [
				{ ports: [port("TCP", 80, 90)] },
				{ action: "Block", ports: [port("TCP", 85)] },
				{ action: "audit", ports: [port("TCP", 86)] },
			],
		}),
		pass: cross("ingress tcp 10.1.0.10 80|84|86|90"),
		drop: cross("ingress tcp 10.1.0.10 85|91"),
	},
	{
		name: "an interface, and no other",
		policies: policy("p", { action: "Block", ...bothWays({ iface: ["eth1"], ports: [port("TCP", 80)] }) }),
		pass: cross("ingress|egress tcp 10.1.0.10|2001:db8::1 80 eth0|wan0"),
		drop: cross("ingress|egress tcp 10.1.0.10|2001:db8::1 80 eth1"),
	},
	{
		name: "an interface prefix",
		policies: policy("p", { action: "Block", ...bothWays({ iface: ["eth*"], ports: [port("TCP", 80)] }) }),
		pass: cross("ingress|egress tcp 10.1.0.10 80 wan0"),
		drop: cross("ingress|egress tcp 10.1.0.10|2001:db8::1 80 eth0|eth1"),
	},
	{
		name: "a named interface carves into a prefix, and that into any",
		policies: documents(
			policy("any", { action: "Block", ingress: [{ ports: [port("UDP", 53)] }] }),
			policy("prefix", { action: "Allow", ingress: [{ iface: ["eth*"], ports: [port("UDP", 53)] }] }),
			policy("name", { action: "Block", ingress: [{ iface: ["eth1"], ports: [port("UDP", 53)] }] }),
		),
		pass: cross("ingress udp 10.1.0.10|2001:db8::1 53 eth0"),
		drop: cross("ingress udp 10.1.0.10|2001:db8::1 53 eth1|wan0"),
	},
	{
		name: "an interface that does not exist is no error",
		policies: policy("p", {
			action: "Block",
			ingress: [{ iface: ["ghost0"] }, { ports: [port("TCP", 81)] }],
		}),
		pass: cross("ingress tcp 10.1.0.10 80 eth0|eth1"),
		drop: cross("ingress tcp 10.1.0.10 81 eth0|eth1"),
	},
];
