import { expect, test } from "bun:test";
import fc from "fast-check";
import { containsCidr, parseAddress, parseCidr } from "../../../../../src/base/cidr.ts";
import type { Protocol } from "../../../../../src/base/model.ts";
import { decidePacket } from "../../../../../src/enforcers/network/compile/program.ts";
import {
	type FirstMatchRule,
	firstMatchModel,
} from "../../../../../src/enforcers/network/compile/verdict/first-match.ts";
import { diffVerdicts } from "../../../../../src/enforcers/network/compile/verdict/verdict-diff.ts";

const block = (text: string) => {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
};

const entries = [
	{ protocol: null, ports: null, source: null },
	{ protocol: "tcp", ports: null, source: null },
	{ protocol: "tcp", ports: { first: 20, last: 25 }, source: null },
	{ protocol: "tcp", ports: { first: 22, last: 80 }, source: null },
	{ protocol: "tcp", ports: { first: 22, last: 22 }, source: { first: 50, last: 60 } },
	{ protocol: "tcp", ports: null, source: { first: 53, last: 53 } },
	{ protocol: 1, ports: null, source: { first: 8, last: 8 } },
	{ protocol: 47, ports: null, source: null },
] as const;

const rule: fc.Arbitrary<FirstMatchRule> = fc
	.record({
		cidr: fc.constantFrom("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "::/0", "2001:db8::/32").map(block),
		entry: fc.constantFrom(...entries),
		interface: fc.constantFrom(
			null,
			{ name: "eth0", prefix: false },
			{ name: "eth", prefix: true },
			{ name: "e", prefix: true },
		),
		accepts: fc.boolean(),
	})
	.map(({ entry, ...rest }) => ({ ...rest, ...entry }));

const packets = ["10.1.0.1", "10.2.0.1", "192.0.2.1", "2001:db8::1", "2001:dba::1"].flatMap((address) =>
	([null, "tcp", "udp", 1, 47] as readonly (Protocol | null)[]).flatMap((protocol) =>
		["", "eth0", "eth1", "em0"].flatMap((name) =>
			[20, 22, 80].flatMap((port) =>
				[null, 8, 53, 55].map((source) => ({ address, protocol, interface: name, port, source })),
			),
		),
	),
);

test("says what the first rule that matches says, and differs from nothing that says the same", () => {
	const in_ = (range: { first: number; last: number } | null, value: number | null) =>
		range === null || (value !== null && range.first <= value && value <= range.last);
	fc.assert(
		fc.property(fc.array(rule, { maxLength: 8 }), (list) => {
			const model = firstMatchModel({ ingress: list, egress: [] });
			expect(diffVerdicts(model, firstMatchModel({ ingress: list, egress: [] }))).toEqual([]);
			for (const packet of packets) {
				const remote = parseAddress(packet.address);
				if ("message" in remote) throw new Error(remote.message);
				const { family, value } = remote;
				const one = { family, base: value, prefix: family === 4 ? 32 : 128 };
				const first = list.find(
					({ cidr, protocol, ports, source, interface: match }) =>
						containsCidr(cidr, one) &&
						(protocol === null || protocol === packet.protocol) &&
						in_(ports, packet.port) &&
						in_(source, packet.source) &&
						(match === null ||
							(match.prefix ? packet.interface.startsWith(match.name) : packet.interface === match.name)),
				);
				const asked = { ...packet, direction: "ingress", family, address: value } as const;
				const { action } = decidePacket(model, asked);
				if (action !== (first?.accepts === false ? "Block" : "Allow"))
					throw new Error(JSON.stringify(packet));
				expect(decidePacket(model, { ...asked, direction: "egress" }).action).toBe("Allow");
			}
		}),
		{ numRuns: 100 },
	);
});

test("a difference of one port is found", () => {
	const accept = { cidr: block("0.0.0.0/0"), ...entries[0], interface: null, accepts: true };
	const drop = { ...accept, protocol: "tcp", ports: { first: 22, last: 22 }, accepts: false } as const;
	const boxes = diffVerdicts(
		firstMatchModel({ ingress: [drop, accept], egress: [] }),
		firstMatchModel({ ingress: [accept, drop], egress: [] }),
	);
	expect(boxes.filter(({ before, after }) => before !== after)).toEqual([
		expect.objectContaining({ protocol: "tcp", ports: [22, 22], before: "Block", after: "Allow" }),
	]);
});
