/**
 * What a set of policies means, by brute force: every atom, every pair. Written
 * from the product's definition alone; it shares no code with the compiler, so
 * that the two can be held against each other.
 */

import type { Action, Cidr, Direction, FailsafeRule, Family, Protocol } from "../../../../src/base/model.ts";
import type { NetworkPolicy, NetworkRule } from "../../../../src/enforcers/network/model.ts";

export interface OraclePacket {
	readonly direction: Direction;
	readonly family: Family;
	/** The remote end. */
	readonly address: bigint;
	readonly interface: string;
	/** The VRF of the interface, whose name the packet bears as well. */
	readonly vrf?: string | undefined;
	/** Null: some protocol that no policy names. */
	readonly protocol: Protocol | null;
	/** Destination port. */
	readonly port: number;
	/** Source port, or the type of ICMP and ICMPv6. Null: one that no policy names. */
	readonly source: number | null;
	/** Whose socket sent it; null: nobody's, or of no unit. Absent: nobody's. */
	readonly sender?: OracleSender;
}

export interface OracleSender {
	readonly user: number | null;
	readonly group: number | null;
	readonly service: string | null;
}

export interface OracleOptions {
	readonly posture: "audit" | "block";
	readonly allowlistScope: "direction" | "host";
	/** None where it is left out. */
	readonly failsafe?: Readonly<Record<Direction, readonly FailsafeRule[]>>;
	/** The numbers of the users and groups that the host knows by name. */
	readonly accounts?: Readonly<Record<string, number>>;
}

export interface OracleVerdict {
	readonly action: Action;
	/** "DefaultPosture" for the posture, "Failsafe" for a failsafe rule, null when nothing matched and there is no allowlist. */
	readonly policy: string | null;
	/** Rule index in its direction's list; -1 without a rule. */
	readonly index: number;
}

interface OracleAtom {
	readonly policy: string;
	readonly index: number;
	readonly action: Action;
	readonly interface: { readonly name: string; readonly prefix: boolean } | "any";
	readonly protocol: Protocol | "any";
	readonly ports: readonly [number, number] | "any";
	/** Source ports, or the one type of ICMP. */
	readonly sources: readonly [number, number] | "any";
	readonly block: Cidr | "any";
	/** Which bits of an address have to be what. */
	readonly bits: Bits | "any";
	readonly holes: readonly Cidr[];
	readonly user: number | "any";
	readonly group: number | "any";
	readonly service: string | "any";
}

interface Bits {
	readonly mask: bigint;
	readonly value: bigint;
}

/** A block, as the bits that it fixes. */
function bitsOf({ family, base, prefix }: Cidr): Bits {
	const size = family === 4 ? 32n : 128n;
	let mask = 0n;
	for (let i = 0n; i < BigInt(prefix); i++) mask |= 1n << (size - 1n - i);
	return { mask, value: base };
}

/** Who a rule is for; a name that the host does not know is nobody. */
function sendersOf({ sender }: NetworkRule, known: Readonly<Record<string, number>>) {
	if (sender === undefined) return [{ user: "any", group: "any", service: "any" }] as const;
	const numbers = (list: readonly (number | string)[]): (number | "any")[] => {
		if (list.length === 0) return ["any"];
		return list.flatMap((one) => (typeof one === "number" ? one : (known[one] ?? [])));
	};
	const services = sender.services.length === 0 ? ["any"] : sender.services;
	return numbers(sender.users).flatMap((user) =>
		numbers(sender.groups).flatMap((group) => services.map((service) => ({ user, group, service }))),
	);
}

function atomsOf(
	policies: readonly NetworkPolicy[],
	direction: Direction,
	accounts: Readonly<Record<string, number>> = {},
): OracleAtom[] {
	const atoms: OracleAtom[] = [];
	for (const policy of policies) {
		for (const rule of policy[direction]) {
			const interfaces = rule.interfaces.length === 0 ? (["any"] as const) : rule.interfaces;
			const ports =
				rule.ports.length === 0
					? [{ protocol: "any" as const, ports: "any" as const, sources: "any" as const }]
					: rule.ports.map(({ protocol, range, source, icmpType }) => ({
							protocol,
							ports: range === null ? ("any" as const) : ([range.first, range.last] as const),
							sources:
								icmpType !== null
									? ([icmpType, icmpType] as const)
									: source === null
										? ("any" as const)
										: ([source.first, source.last] as const),
						}));
			const blocks =
				rule.peers.length === 0
					? [{ block: "any" as const, bits: "any" as const, holes: [] }]
					: rule.peers.map(({ cidr, suffix, except }) => ({
							block: cidr,
							bits: suffix ?? bitsOf(cidr),
							holes: except,
						}));
			for (const name of interfaces) {
				for (const port of ports) {
					for (const block of blocks) {
						for (const sender of sendersOf(rule, accounts)) {
							atoms.push({
								policy: policy.name,
								index: rule.index,
								action: rule.action,
								interface: name,
								...port,
								...block,
								...sender,
							});
						}
					}
				}
			}
		}
	}
	return atoms;
}

function inBlock(block: Cidr, family: Family, address: bigint): boolean {
	const host = BigInt((family === 4 ? 32 : 128) - block.prefix);
	return block.family === family && block.base >> host === address >> host;
}

function bears({ interface: own, vrf }: OraclePacket, match: { name: string; prefix: boolean }): boolean {
	return [own, ...(vrf === undefined ? [] : [vrf])].some((name) =>
		match.prefix ? name.startsWith(match.name) : name === match.name,
	);
}

function matches(atom: OracleAtom, packet: OraclePacket): boolean {
	const { interface: match, protocol, ports, sources, block, bits, user, group, service } = atom;
	if (user !== "any" && packet.sender?.user !== user) return false;
	if (group !== "any" && packet.sender?.group !== group) return false;
	if (service !== "any" && packet.sender?.service !== service) return false;
	if (match !== "any") {
		if (!bears(packet, match)) return false;
	}
	if (protocol !== "any" && protocol !== packet.protocol) return false;
	if (ports !== "any" && (packet.port < ports[0] || packet.port > ports[1])) return false;
	const { source } = packet;
	if (sources !== "any" && (source === null || source < sources[0] || source > sources[1])) return false;
	if (block !== "any" && block.family !== packet.family) return false;
	if (bits !== "any" && (packet.address & bits.mask) !== bits.value) return false;
	return !atom.holes.some((hole) => inBlock(hole, packet.family, packet.address));
}

/** -1: `a` is strictly inside `b`; 0: equal; 1: `b` strictly inside `a`; null: neither. One field each. */
type Relation = -1 | 0 | 1 | null;

function interfaces(a: OracleAtom["interface"], b: OracleAtom["interface"]): Relation {
	if (a === "any" || b === "any") return a === b ? 0 : a === "any" ? 1 : -1;
	if (a.prefix === b.prefix && a.name === b.name) return 0;
	if (a.prefix && b.name.startsWith(a.name)) return 1;
	if (b.prefix && a.name.startsWith(b.name)) return -1;
	return null;
}

function protocols(a: OracleAtom["protocol"], b: OracleAtom["protocol"]): Relation {
	if (a === b) return 0;
	if (a === "any") return 1;
	return b === "any" ? -1 : null;
}

function values<T>(a: T | "any", b: T | "any"): Relation {
	if (a === b) return 0;
	if (a === "any") return 1;
	return b === "any" ? -1 : null;
}

function portRanges(a: OracleAtom["ports"], b: OracleAtom["ports"]): Relation {
	if (a === "any" || b === "any") return a === b ? 0 : a === "any" ? 1 : -1;
	if (a[0] === b[0] && a[1] === b[1]) return 0;
	if (a[0] <= b[0] && a[1] >= b[1]) return 1;
	return b[0] <= a[0] && b[1] >= a[1] ? -1 : null;
}

/** Of one family. What fixes more bits, and those of the other alike, is inside. */
function addresses({ bits: a }: OracleAtom, { bits: b }: OracleAtom): Relation {
	if (a === "any" || b === "any") return a === b ? 0 : a === "any" ? 1 : -1;
	if (((a.value ^ b.value) & a.mask & b.mask) !== 0n) return null;
	if (a.mask === b.mask) return 0;
	if ((a.mask & b.mask) === a.mask) return 1;
	return (a.mask & b.mask) === b.mask ? -1 : null;
}

function strictlyContains(a: OracleAtom, b: OracleAtom): boolean {
	const relations = [
		interfaces(a.interface, b.interface),
		protocols(a.protocol, b.protocol),
		portRanges(a.ports, b.ports),
		portRanges(a.sources, b.sources),
		addresses(a, b),
		values(a.user, b.user),
		values(a.group, b.group),
		values(a.service, b.service),
	];
	return relations.every((r) => r === 0 || r === 1) && relations.includes(1);
}

function failsafeMatches(rule: FailsafeRule, packet: OraclePacket): boolean {
	const { interface: match, cidr, protocol, port, icmpType = null } = rule;
	if (match !== null && !bears(packet, match)) return false;
	if (cidr !== null && !inBlock(cidr, packet.family, packet.address)) return false;
	if (protocol !== null && protocol !== packet.protocol) return false;
	if (icmpType !== null && icmpType !== packet.source) return false;
	return port === null || (packet.port >= port.first && packet.port <= port.last);
}

/** In attribution a source port or ICMP type comes first, then a destination port, then neither. */
function unnamed(atom: OracleAtom): number {
	if (atom.sources !== "any") return 0;
	return atom.ports !== "any" ? 1 : 2;
}

/** The verdict, and the policy and rule that it is attributed to. */
export function judge(
	policies: readonly NetworkPolicy[],
	options: OracleOptions,
	packet: OraclePacket,
): OracleVerdict {
	const failsafe = options.failsafe?.[packet.direction] ?? [];
	const spared = failsafe.findIndex((rule) => failsafeMatches(rule, packet));
	if (spared >= 0) return { action: "Allow", policy: "Failsafe", index: spared };
	const matching = atomsOf(policies, packet.direction, options.accounts).filter((atom) =>
		matches(atom, packet),
	);
	const left = matching.filter((atom) => !matching.some((other) => strictlyContains(atom, other)));
	for (const action of ["Block", "Audit", "Allow"] as const) {
		const named = left
			.filter((atom) => atom.action === action)
			.sort(
				(a, b) =>
					unnamed(a) - unnamed(b) ||
					Buffer.compare(Buffer.from(a.policy), Buffer.from(b.policy)) ||
					a.index - b.index,
			);
		const [first] = named;
		if (first !== undefined) return { action, policy: first.policy, index: first.index };
	}
	const allows = (direction: Direction) =>
		policies.some((policy) => policy[direction].some(({ action }) => action === "Allow"));
	const allowlist =
		options.allowlistScope === "host" ? allows("ingress") || allows("egress") : allows(packet.direction);
	if (!allowlist) return { action: "Allow", policy: null, index: -1 };
	return { action: options.posture === "block" ? "Block" : "Audit", policy: "DefaultPosture", index: -1 };
}
