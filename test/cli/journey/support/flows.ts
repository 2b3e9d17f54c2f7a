/** Flows for tests: one as JSON, and any at all. */

import fc from "fast-check";
import { addressBits, maskBase } from "../../../../src/base/cidr.ts";
import type { Cidr, Family, Protocol } from "../../../../src/base/model.ts";
import type {
	FlowHook,
	FlowJson,
	SeenFlow,
	SeenHistory,
} from "../../../../src/enforcers/network/history/seen-flow.ts";

export const flowJson: FlowJson = {
	direction: "ingress",
	protocol: "tcp",
	remote: "192.0.2.7",
	port: 443,
	interface: "eth0",
	hook: "input",
	guest: null,
	action: "Allow",
	policy: "web",
	count: 3,
	bytes: null,
	firstSeen: "2026-01-01T08:00:00.000Z",
	lastSeen: "2026-01-02T08:00:00.000Z",
	new: false,
};

/** The text of `flows --json`. */
export function historyText(flows: readonly object[], more: object = {}): string {
	return JSON.stringify({ since: "2026-01-01T00:00:00.000Z", flows, merged: 0, lost: 0, ...more });
}

const families = fc.constantFrom<Family>(4, 6);

/** Some of IPv6 are IPv4-mapped: no policy names them, but packets bear them. */
const value = (family: Family) => {
	const any = fc.bigInt({ min: 0n, max: (1n << BigInt(addressBits(family))) - 1n });
	const mapped = fc.bigInt({ min: 0xffffn << 32n, max: (0xffffn << 32n) + 0xffff_ffffn });
	return family === 4 ? any : fc.oneof({ weight: 4, arbitrary: any }, { weight: 1, arbitrary: mapped });
};

const remotes: fc.Arbitrary<Cidr> = families.chain((family) =>
	fc
		.record({ base: value(family), prefix: fc.integer({ min: 0, max: addressBits(family) }) })
		.map(({ base, prefix }) => ({ family, base: maskBase(base, family, prefix), prefix })),
);

/** One of each family. */
const guests = fc.record({ 4: value(4), 6: value(6) });

const protocols = fc.oneof(
	fc.constantFrom<Protocol>("tcp", "udp", "sctp"),
	fc
		.integer({ min: 0, max: 255 })
		.filter((number) => ![6, 17, 132].includes(number))
		.map((number): Protocol => number),
);

const times = fc.integer({ min: 0, max: 4_000_000_000_000 });

export const seenFlows: fc.Arbitrary<SeenFlow> = fc
	.record({
		direction: fc.constantFrom("ingress" as const, "egress" as const),
		forwarded: fc.boolean(),
		protocol: protocols,
		remote: remotes,
		port: fc.integer({ min: 1, max: 65_535 }),
		interface: fc.string({ unit: "binary", maxLength: 7 }).map((name) => name.replaceAll(/[/\s\0]/gu, "_")),
		guest: guests,
		action: fc.constantFrom("Allow" as const, "Audit" as const, "Block" as const),
		policy: fc.option(fc.string({ unit: "binary", minLength: 1, maxLength: 40 })),
		count: fc.integer({ min: 1 }),
		bytes: fc.option(fc.nat()),
		seen: fc.tuple(times, times),
		isNew: fc.boolean(),
	})
	.map(({ forwarded, seen, port, guest, ...flow }) => {
		const own: FlowHook = flow.direction === "ingress" ? "input" : "output";
		return {
			...flow,
			hook: forwarded ? "forward" : own,
			port: typeof flow.protocol === "string" ? port : null,
			guest: forwarded ? { family: flow.remote.family, value: guest[flow.remote.family] } : null,
			firstSeen: Math.min(...seen),
			lastSeen: Math.max(...seen),
		};
	});

export const histories: fc.Arbitrary<SeenHistory> = fc.record({
	since: times,
	flows: fc.array(seenFlows, { maxLength: 20 }),
	merged: fc.nat(),
	lost: fc.nat(),
});
