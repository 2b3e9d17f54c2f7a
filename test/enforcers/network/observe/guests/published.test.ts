import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readDnatRule } from "../../../../../src/enforcers/network/observe/guests/dnat-rule.ts";
import type { PublishedPort } from "../../../../../src/enforcers/network/observe/guests/guests.ts";
import {
	dockerProxyPort,
	publishedPorts,
} from "../../../../../src/enforcers/network/observe/guests/published.ts";
import { unjudgedTexts } from "../../../../../src/enforcers/network/observe/guests/unjudged.ts";
import { MessageWriter } from "../../../../../src/kernel/netlink-message.ts";

const guest = { protocol: "tcp", family: 4, guestAddress: "172.17.0.2", by: "Docker" } as const;
const rule = { ...guest, hostAddress: null, hostPorts: [8080, 8080], guestPort: 80 } as const;
const docker0 = { kind: "guest", bridge: "docker0" } as const;

const commandLine = (...changes: string[]) => [
	"/usr/bin/docker-proxy",
	...["-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080"],
	...["-container-ip", "172.17.0.2", "-container-port", "80"],
	...changes,
];

describe("the port of a docker-proxy", () => {
	test("is read of its arguments", () => {
		expect(dockerProxyPort(commandLine())).toEqual({
			protocol: "tcp",
			family: 4,
			address: "0.0.0.0",
			port: 8080,
			guest: { address: "172.17.0.2", port: 80 },
			bridge: null,
			by: "Docker",
			hook: "input",
		});
		expect(dockerProxyPort(commandLine("-host-ip", "::", "-use-listen-fd"))?.family).toBe(6);
	});

	test("is none where an argument is not what Docker writes", () => {
		for (const [name, value] of [
			["-proto", "icmp"],
			["-host-ip", "0.0.0.0\u001b[2J"],
			["-host-ip", ""],
			["-host-port", "99999"],
			["-host-port", "08"],
			["-container-ip", "a; b"],
			["-container-port", "-1"],
		] as const)
			expect(dockerProxyPort(commandLine(name, value))).toBeNull();
		expect(dockerProxyPort([])).toBeNull();
	});

	test("is of no text whatever but whole addresses and ports", () => {
		fc.assert(
			fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom(...commandLine()))), (args) => {
				const found = dockerProxyPort(args);
				if (found === null) return;
				expect(`${found.address} ${found.guest.address}`).toMatch(/^[0-9a-fA-F.:]+ [0-9a-fA-F.:]+$/u);
				expect(found.port).toBeWithin(1, 65_536);
			}),
		);
	});
});

describe("published ports", () => {
	const proxy = dockerProxyPort(commandLine()) as PublishedPort;

	test("that a rule translates and a program listens for are one, and judged in forward", () => {
		const { published } = publishedPorts([rule], [proxy], () => docker0);
		expect(published.map(({ hook, bridge }) => [hook, bridge])).toEqual([["forward", "docker0"]]);
	});

	test("that only a program listens for are judged in input", () => {
		const six = { ...proxy, family: 6, address: "::" } as const;
		const { published } = publishedPorts([rule], [six], () => docker0);
		expect(published.map(({ hook, address }) => `${address} ${hook}`)).toEqual([
			"0.0.0.0 forward",
			":: input",
		]);
	});

	test("keep the guest of the rule that packets meet first", () => {
		const later = { ...rule, guestAddress: "172.17.0.3" };
		expect(
			publishedPorts([rule, later], [], () => docker0).published.map((one) => one.guest.address),
		).toEqual(["172.17.0.2"]);
	});

	test("of a range are one each, which stay as they are where the rule gives no other; the most are counted alone", () => {
		const all = { ...rule, hostPorts: [1, 65_535], guestPort: null } as const;
		const { published, more } = publishedPorts([all], [proxy], () => docker0);
		expect([published.length, more]).toEqual([1000, 64_536]);
		expect(published.every(({ port, guest: { port: behind } }) => port === behind)).toBe(true);
	});

	test("are none that lead to this host or to other machines; the latter are counted", () => {
		const way = (address: string) => ({ kind: address === "10.0.0.1" ? "host" : "elsewhere" }) as const;
		const rules = [rule, { ...rule, guestAddress: "10.0.0.1" }];
		expect(publishedPorts(rules, [], way)).toEqual({ published: [], more: 0, elsewhere: 1 });
	});
});

test("bytes that are no rule give none, and never throw", () => {
	const bytes = fc.uint8Array({ maxLength: 200 });
	const names = fc.constantFrom("nat", "target", "cmp", "payload", "match", "immediate", "range", "meta");
	const expression = fc.tuple(names, bytes).map(([name, data]) =>
		new MessageWriter(0, 0, 0)
			.nest(1, (inner) => inner.text(1, name).nested(2, data))
			.finish()
			.subarray(16),
	);
	fc.assert(
		fc.property(
			fc.oneof(
				bytes,
				fc.array(expression).map((all) => Buffer.concat(all)),
			),
			fc.constantFrom("ip", "ip6", "inet"),
			(expressions, family) => {
				const found = readDnatRule({ family, expressions: new Uint8Array(expressions) });
				if (found !== null) expect(found.hostPorts[0]).toBeLessThanOrEqual(found.hostPorts[1]);
			},
		),
	);
});

test("each kind of what is not judged has a sentence of its own", () => {
	const nothing = { parents: [], macvtaps: [], ipvs: false, kubernetes: false, elsewhere: 0 };
	expect(unjudgedTexts(nothing)).toEqual([]);
	const all = unjudgedTexts({
		parents: ["eth0", "eth1"],
		macvtaps: ["macvtap0"],
		ipvs: true,
		kubernetes: false,
		elsewhere: 2,
	});
	expect(all).toHaveLength(4);
	expect(all[0]).toContain("eth0, eth1");
	expect(all[3]).toStartWith("2 rules lead ports");
	// What Kubernetes' rules lead elsewhere is said once.
	expect(unjudgedTexts({ ...nothing, kubernetes: true, elsewhere: 900 })).toHaveLength(1);
});
