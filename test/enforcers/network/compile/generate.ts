/** Random policies and packets in which nesting, ties and boundaries are frequent. */

import fc from "fast-check";
import type {
	Action,
	Cidr,
	Direction,
	FailsafeRule,
	Family,
	InterfaceMatch,
	PortRange,
} from "../../../../src/base/model.ts";
import type { Failsafe } from "../../../../src/enforcers/network/compile/failsafe.ts";
import type { Vrf } from "../../../../src/enforcers/network/compile/program.ts";
import type {
	IpBlock,
	NetworkPolicy,
	NetworkRule,
	PortMatch,
} from "../../../../src/enforcers/network/model.ts";
import type { OraclePacket } from "./oracle.ts";

export const place = { file: "p.yaml", line: 1, column: 1 };

const sizes = { 4: 32, 6: 128 } as const;
const roots = { 4: 0x0a000000n, 6: 0x20010db8n << 96n } as const;

/** Clears host bits. */
function block(family: Family, value: bigint, prefix: number): Cidr {
	const host = BigInt(sizes[family] - prefix);
	return { family, prefix, base: (value >> host) << host };
}

/** An address out of a few dozen, near each other at several scales. */
export function addressIn(family: Family): fc.Arbitrary<bigint> {
	const scale = family === 4 ? 0n : 96n;
	const low = fc.tuple(fc.nat(1), fc.nat(1), fc.nat(3), fc.boolean()).map(([a, b, c, far]) => {
		const offset = (BigInt(a) << 23n) | (BigInt(b) << 12n) | BigInt(c);
		return roots[family] + (offset << (far ? scale : 0n));
	});
	return fc.oneof(
		{ weight: 20, arbitrary: low },
		{ weight: 1, arbitrary: fc.constantFrom(0n, (1n << BigInt(sizes[family])) - 1n) },
	);
}

const prefixes = {
	4: [0, 1, 8, 9, 16, 19, 20, 24, 30, 31, 32],
	6: [0, 1, 32, 40, 41, 64, 104, 105, 116, 126, 127, 128],
} as const;

export function cidr(family: Family): fc.Arbitrary<Cidr> {
	return fc
		.tuple(addressIn(family), fc.constantFrom(...prefixes[family]))
		.map(([address, prefix]) => block(family, address, prefix));
}

const peer: fc.Arbitrary<IpBlock> = fc.constantFrom<Family>(4, 4, 6).chain((family) =>
	fc.tuple(cidr(family), fc.array(cidr(family), { maxLength: 2 }), fc.nat(3)).map(([outer, inner, some]) => ({
		cidr: outer,
		except:
			some > 0
				? []
				: inner.map(({ base, prefix }) => {
						const longer = Math.max(prefix, outer.prefix);
						const host = BigInt(sizes[family] - outer.prefix);
						const inside = outer.base | (base & ((1n << host) - 1n));
						return block(family, inside, longer);
					}),
		place,
	})),
);

const port: fc.Arbitrary<PortMatch> = fc
	.tuple(
		fc.constantFrom("tcp", "tcp", "udp", "sctp" as const),
		fc.constantFrom(null, [22, 22], [22, 80], [80, 80], [1, 65535], [20, 25], [79, 443], [
			1024, 65535,
		] as const),
	)
	.map(([protocol, range]) => ({
		protocol: protocol as PortMatch["protocol"],
		range: span(range),
		source: null,
		icmpType: null,
		place,
	}));

function span(range: readonly number[] | null): PortRange | null {
	return range === null ? null : { first: range[0] ?? 1, last: range[1] ?? 1 };
}

/** None holds a port that packets come to, nor one of those that a prober takes by itself. */
const sourceRange = fc.constantFrom([1900, 1900], [1900, 2000], [1500, 1999], [1900, 1901], [5353, 5353]);

/** Entries with source ports, of which the packets that `sources` draws come. */
const sourced: fc.Arbitrary<PortMatch> = fc
	.tuple(port, sourceRange, fc.boolean())
	.map(([entry, source, alone]) => ({
		...entry,
		range: alone ? null : entry.range,
		source: span(source),
	}));

/** Entries of protocols without ports. Requests of ICMP, as only these begin a flow. */
const portless: fc.Arbitrary<PortMatch> = fc
	.constantFrom<readonly [number, number | null]>(
		[1, null],
		[1, 8],
		[1, 13],
		[58, null],
		[58, 128],
		[58, 139],
		[253, null],
		[254, null],
	)
	.map(([protocol, icmpType]) => ({ protocol, range: null, source: null, icmpType, place }));

/** Mostly destination ports: they nest in the most ways. */
const entry = fc.oneof(
	{ weight: 4, arbitrary: port },
	{ weight: 2, arbitrary: sourced },
	{ weight: 2, arbitrary: portless },
);

const match: fc.Arbitrary<InterfaceMatch> = fc.constantFrom(
	{ name: "eth0", prefix: false },
	{ name: "eth1", prefix: false },
	{ name: "eth", prefix: true },
	{ name: "eth", prefix: false },
	{ name: "e", prefix: true },
	{ name: "wlan0", prefix: false },
);

function few<T>(item: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> {
	return fc.oneof(
		{ weight: 1, arbitrary: fc.constant<T[]>([]) },
		{ weight: 2, arbitrary: fc.array(item, { maxLength }) },
	);
}

const rule = fc.record({
	action: fc.constantFrom<Action>("Allow", "Audit", "Block"),
	severity: fc.integer({ min: 1, max: 10 }),
	tags: fc.constant([]),
	message: fc.constant(""),
	peers: few(peer, 3),
	interfaces: fc.oneof(
		{ weight: 3, arbitrary: fc.constant([]) },
		{ weight: 1, arbitrary: fc.array(match, { maxLength: 2 }) },
	),
	ports: few(entry, 3),
	place: fc.constant(place),
});

const rules: fc.Arbitrary<NetworkRule[]> = fc
	.array(rule, { maxLength: 4 })
	.map((list) => list.map((item, index) => ({ ...item, index })));

/** Sets of up to seven policies with distinct names. */
export const policySets: fc.Arbitrary<NetworkPolicy[]> = fc
	.array(
		fc.record({
			name: fc.constantFrom("a", "b", "c", "d", "B", "é", "a-a", "z9"),
			ingress: rules,
			egress: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: rules }),
		}),
		{ maxLength: 7 },
	)
	.map((list) => {
		const named = new Map(list.map((item) => [item.name, item]));
		return [...named.values()].map((item) => ({
			...item,
			kind: "KubeArmorNetworkPolicy" as const,
			place,
			nodeSelector: { matchLabels: { a: "b" }, place },
			action: "Block" as const,
		}));
	});

const scopes = fc.constantFrom(undefined, undefined, "host" as const, "guests" as const);

/** The same sets, of which some policies hold for the host alone, or for its guests. */
export const scoped = (sets: fc.Arbitrary<NetworkPolicy[]>): fc.Arbitrary<NetworkPolicy[]> =>
	fc
		.tuple(sets, fc.array(scopes, { minLength: 7, maxLength: 7 }), fc.boolean())
		.map(([policies, places, any]) =>
			policies.map((policy, i): NetworkPolicy => {
				const appliesTo = any ? places[i] : undefined;
				return appliesTo === undefined ? policy : { ...policy, appliesTo };
			}),
		);

export const scopedSets = scoped(policySets);

/** What of them holds at a place. */
export function holdingFor(policies: readonly NetworkPolicy[], place: "host" | "guests"): NetworkPolicy[] {
	return policies.filter(({ appliesTo = place }) => appliesTo === place);
}

/** Mostly none, as on most hosts. Their names lie within what rules name, or beside it. */
export const vrfSets: fc.Arbitrary<readonly Vrf[]> = fc
	.tuple(
		fc.constantFrom("eth", "e", "wlan0", "blue"),
		fc.subarray(["eth0", "eth1", "eth9"]),
		fc.constantFrom(false, true, true),
	)
	.map(([name, members, some]) => (some ? [{ name, members }] : []));

/** The packet as it is on a host with these VRFs: what would bear only a VRF's own name comes by another interface. */
export function inVrfs(packet: OraclePacket, vrfs: readonly Vrf[]): OraclePacket {
	if (vrfs.some(({ name }) => name === packet.interface)) return { ...packet, interface: "x" };
	const vrf = vrfs.find(({ members }) => members.includes(packet.interface));
	return vrf === undefined ? packet : { ...packet, vrf: vrf.name };
}

const failsafeRule: fc.Arbitrary<FailsafeRule> = fc
	.record({
		peer: fc.option(fc.constantFrom<Family>(4, 4, 6).chain(cidr)),
		port: fc.option(fc.oneof({ weight: 3, arbitrary: port }, { weight: 1, arbitrary: portless })),
		interface: fc.option(match, { freq: 1 }),
	})
	.filter(({ peer, port, interface: name }) => peer !== null || port !== null || name !== null)
	.map(({ peer, port, interface: name }) => ({
		protocol: port?.protocol ?? null,
		cidr: peer,
		port: port?.range ?? null,
		icmpType: port?.icmpType ?? null,
		interface: name,
	}));

/** Mostly none: where a failsafe rule speaks, policies do not. */
export const failsafes: fc.Arbitrary<Failsafe> = fc.oneof(
	{ weight: 3, arbitrary: fc.constant<Failsafe>({ ingress: [], egress: [] }) },
	{ weight: 1, arbitrary: fc.record({ ingress: few(failsafeRule, 3), egress: few(failsafeRule, 2) }) },
);

type Content = Pick<OraclePacket, "protocol" | "port" | "source">;

/**
 * What a packet of a direction holds. Protocols without ports have one flow for each pair of hosts, so each
 * direction has its own, lest a packet be taken for the other's reply.
 */
function content(direction: Direction, family: Family): fc.Arbitrary<Content> {
	const ports: fc.Arbitrary<Content> = fc.record({
		protocol: fc.constantFrom("tcp", "tcp", "tcp", "udp", "sctp" as const),
		port: fc.constantFrom(0, 1, 19, 20, 22, 23, 25, 26, 79, 80, 81, 443, 444, 1023, 1024, 65535),
		source: fc.constantFrom(null, null, null, 1499, 1500, 1899, 1900, 1901, 1999, 2000, 2001, 5353),
	});
	const requests = family === 4 ? [8, 13] : [128, 139];
	return fc.oneof(
		{ weight: 5, arbitrary: ports },
		{
			weight: 1,
			arbitrary: fc.record({
				protocol: fc.constant(family === 4 ? 1 : 58),
				port: fc.constant(0),
				source: fc.constantFrom(...requests),
			}),
		},
		{
			weight: 1,
			arbitrary: fc.record({
				protocol: fc.constantFrom(null, direction === "ingress" ? 253 : 254),
				port: fc.constant(0),
				source: fc.constant(null),
			}),
		},
	);
}

const families = fc.constantFrom<Family>(4, 4, 6);
const directions = fc.constantFrom<Direction>("ingress", "ingress", "ingress", "egress");

/** Packets at and just beside the bounds that `policySets` uses. */
export const packets: fc.Arbitrary<OraclePacket> = fc
	.tuple(families, directions)
	.chain(([family, direction]) =>
		fc.record({
			content: content(direction, family),
			direction: fc.constant(direction),
			family: fc.constant(family),
			address: fc
				.tuple(addressIn(family), fc.constantFrom(0n, 0n, 1n, -1n, 2n, 4096n, -4096n))
				.map(([address, offset]) => {
					const size = 1n << BigInt(sizes[family]);
					return (address + offset + size) % size;
				}),
			interface: fc.constantFrom("eth0", "eth1", "eth", "eth9", "e", "wlan0", "x"),
		}),
	)
	.map(({ content: held, ...packet }) => ({ ...packet, ...held }));

/** So many for one set of policies that compiling it is no more than half of what a case costs. */
export const manyPackets = fc.array(packets, { minLength: 40, maxLength: 80 });

const user = fc.constantFrom<number | string>(0, 1000, 1001, "alice", "carol");
const group = fc.constantFrom<number | string>(0, 100, "staff", "ghosts");
const service = fc.constantFrom("a.service", "b.service");

/** Users and groups that are known by name: `alice` is one of those that rules name by number, and nobody else is. */
export const accounts: Readonly<Record<string, number>> = { alice: 1000, staff: 100 };

const sender = fc
	.record({
		users: few(user, 2),
		groups: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: few(group, 2) }),
		services: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: few(service, 2) }),
	})
	.map((lists) =>
		lists.users.length + lists.groups.length + lists.services.length === 0 ? undefined : lists,
	);

/** The same sets, whose rules of egress name senders, most of them. */
export function withSenders(sets: fc.Arbitrary<NetworkPolicy[]>): fc.Arbitrary<NetworkPolicy[]> {
	return fc.tuple(sets, fc.array(sender, { minLength: 56, maxLength: 56 })).map(([policies, senders]) => {
		let next = 0;
		return policies.map((policy) => ({
			...policy,
			ingress: [],
			egress: [...policy.ingress, ...policy.egress].map((rule, index) => {
				const named = senders[next++];
				return named === undefined ? { ...rule, index } : { ...rule, index, sender: named };
			}),
		}));
	});
}

export const senderSets = withSenders(policySets);

/** Who sends a packet: those whom `senderSets` names, others, and nobody. */
export const senders: fc.Arbitrary<NonNullable<OraclePacket["sender"]>> = fc.oneof(
	{ weight: 1, arbitrary: fc.constant({ user: null, group: null, service: null }) },
	{
		weight: 9,
		arbitrary: fc.record({
			user: fc.constantFrom(0, 1000, 1000, 1001, 1002),
			group: fc.constantFrom(0, 100, 100, 101),
			service: fc.constantFrom(null, "a.service", "b.service", "c.service"),
		}),
	},
);
