import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { containsCidr, parseCidr } from "../../../../src/base/cidr.ts";
import type { Cidr } from "../../../../src/base/model.ts";
import { flowKey, KnownFlows, parseBaseline } from "../../../../src/enforcers/network/history/baseline.ts";
import { seenFlows } from "../../../cli/journey/support/flows.ts";

function block(text: string): Cidr {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
}

const flow = {
	direction: "ingress",
	hook: "input",
	protocol: "tcp",
	remote: block("10.0.1.7"),
	port: 22,
	interface: "eth0",
} as const;

describe("a baseline", () => {
	test("covers what lies in a block of its keys, and nothing else", () => {
		const known = new KnownFlows({
			keys: ["ingress|input|tcp|10.0.1.0/24|22|eth0", "nonsense", "a|b|c|x/y|1|z"],
		});
		expect(known.covers(flow)).toBe(true);
		expect(known.covers({ ...flow, remote: block("10.0.1.0/24") })).toBe(true);
		for (const other of [
			{ ...flow, remote: block("10.0.2.7") },
			{ ...flow, remote: block("10.0.0.0/16") },
			{ ...flow, remote: block("2001:db8::1") },
			{ ...flow, port: 23 },
			{ ...flow, interface: "eth1" },
			{ ...flow, protocol: "udp" as const },
			{ ...flow, direction: "egress" as const },
			{ ...flow, hook: "forward" as const },
		])
			expect(known.covers(other)).toBe(false);
	});

	test("has one key for each kind of flow", () => {
		expect(flowKey(flow)).toBe("ingress|input|tcp|10.0.1.7/32|22|eth0");
		expect(flowKey({ ...flow, protocol: 1, port: null })).toBe("ingress|input|icmp|10.0.1.7/32|-|eth0");
	});

	test("covers the flows that its keys were made of, and of others those that their blocks hold", () => {
		const named = seenFlows.filter((one) => !one.interface.includes("|"));
		fc.assert(
			fc.property(fc.array(named, { maxLength: 10 }), named, (made, other) => {
				const known = new KnownFlows({ keys: made.map(flowKey) });
				for (const one of made) expect(known.covers(one)).toBe(true);
				const same = (one: typeof other) =>
					[one.direction, one.hook, one.protocol, one.port, one.interface].join("|");
				const held = made.some((one) => same(one) === same(other) && containsCidr(one.remote, other.remote));
				expect(known.covers(other)).toBe(held);
			}),
		);
	});

	test("is read strictly", () => {
		expect(parseBaseline({ madeAt: 5, keys: ["a"] })).toEqual({ madeAt: 5, keys: ["a"] });
		for (const bad of [null, {}, { madeAt: -1, keys: [] }, { madeAt: 1, keys: [1] }, { madeAt: 1 }])
			expect(parseBaseline(bad)).toBeNull();
	});
});
