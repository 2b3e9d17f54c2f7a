/**
 * Failsafe rules: new flows that are accepted before any policy is asked. They
 * stand behind the check for invalid packets, which belong to no flow, and
 * before the sets of ended flows, so that a flow that an earlier set of
 * policies ended passes again.
 */

import { formatCidr } from "../../../base/cidr.ts";
import { digest } from "../../../base/digest.ts";
import { icmpTypeLabel } from "../../../base/icmp-type.ts";
import type { Cidr, Direction, FailsafeRule, InterfaceMatch } from "../../../base/model.ts";
import { rangeText } from "../../../base/port-range.ts";
import {
	icmp,
	isTransport,
	parseProtocol,
	protocolLabel,
	protocolNumber,
	protocolText,
} from "../../../base/protocol.ts";
import { isPlainInterface } from "../../../document/iface.ts";
import {
	addressKey,
	byInterface,
	counted,
	type InterfaceKey,
	ofFamily,
	protocolKey,
} from "../../../kernel/nftables/expressions.ts";
import { type Address, type Atom, canonicalInterface, interfaceContains, interfaceKey } from "./atom.ts";
import type { CompiledRule, PlannedFailsafe } from "./plan.ts";
import { type PortKey, packetPort, publishedPort } from "./render/port-key.ts";

/** The failsafe rules of the settings, in the order in which packets meet them. */
export type Failsafe = Readonly<Record<Direction, readonly FailsafeRule[]>>;

/** The name that alerts, `explain` and metrics give to what a failsafe rule decided. */
export const failsafeName = "Failsafe";

/** One failsafe rule as verdicts name it and as a plan carries it. */
export interface FailsafeProgram {
	readonly match: FailsafeRule;
	readonly rule: CompiledRule;
	readonly planned: PlannedFailsafe;
}

/**
 * The rules of one direction.
 *
 * @throws Error for an interface name that nftables could misread; the settings let none through.
 */
export function failsafePrograms(failsafe: Failsafe, direction: Direction): FailsafeProgram[] {
	return failsafe[direction].map((written, index) => {
		const match = { ...written, interface: written.interface && canonicalInterface(written.interface) };
		const conditions = conditionsOf(match, direction);
		// Another rule in the same place counts from zero.
		const counter = `failsafe_${direction}_${index}_${digest(...conditions)}`;
		const planned: PlannedFailsafe = {
			direction,
			index,
			protocol: match.protocol === null ? null : protocolText(match.protocol),
			icmpType: icmpTypeText(match),
			cidr: match.cidr === null ? null : formatCidr(match.cidr),
			port: match.port === null ? null : rangeText(match.port),
			interface: match.interface === null ? null : interfaceKey(match.interface),
			counter,
			text: acceptText(conditions, counter),
		};
		const rule: CompiledRule = {
			id: counter,
			policy: failsafeName,
			index,
			direction,
			action: "Allow",
			severity: 1,
			tags: [],
			message: "",
			place: null,
			counter,
			logCounter: null,
		};
		return { match, rule, planned };
	});
}

/** The rules of both directions, for a ruleset that is loaded without any policy; throws as `failsafePrograms` does. */
export function planFailsafe(failsafe: Failsafe): PlannedFailsafe[] {
	return (["ingress", "egress"] as const).flatMap((direction) =>
		failsafePrograms(failsafe, direction).map(({ planned }) => planned),
	);
}

/** `ingress[0] TCP 22 from 192.168.10.0/28 on eth0`. */
export function describeFailsafe(
	rule: Pick<
		PlannedFailsafe,
		"direction" | "index" | "protocol" | "icmpType" | "cidr" | "port" | "interface"
	>,
): string {
	const { direction, index, protocol, icmpType, cidr, port, interface: name } = rule;
	const parts = [`${direction}[${index}]`, protocol === null ? "any protocol" : protocolWords(protocol)];
	if (icmpType !== null) parts.push(icmpType);
	if (port !== null) parts.push(port);
	if (cidr !== null) parts.push(direction === "ingress" ? "from" : "to", cidr);
	if (name !== null) parts.push("on", name);
	return parts.join(" ");
}

/** What `protocolText` wrote, as a reader knows it. */
function protocolWords(text: string): string {
	const protocol = parseProtocol(text);
	return protocol === null ? text : protocolLabel(protocol);
}

function icmpTypeText({ protocol, icmpType = null }: FailsafeRule): string | null {
	return protocol === null || icmpType === null ? null : icmpTypeLabel(protocol, icmpType);
}

/** The rule for packets whose destination port is read in another way. @param counts whether its packets are counted */
export function failsafeText({ match, planned }: FailsafeProgram, ports: PortKey, counts = true): string {
	return acceptText(conditionsOf(match, planned.direction, { ports }), counts ? planned.counter : null);
}

/** The rule for what answers such a flow: it goes the other way, and its connection knows which port was asked for. */
export function failsafeReply({ match }: FailsafeProgram, direction: Direction): string {
	const conditions = conditionsOf({ ...match, icmpType: null }, direction, { ports: publishedPort });
	return acceptText(["ct direction reply", ...conditions], null);
}

/** The rule for packets whose interface something else tells: a member of a VRF. */
export function memberText(
	{ match, planned }: FailsafeProgram,
	key: InterfaceKey,
	name: string,
	ports: PortKey,
	counts = true,
): string {
	const told = { by: byInterface(key, name), ports };
	return acceptText(conditionsOf(match, planned.direction, told), counts ? planned.counter : null);
}

function acceptText(conditions: readonly string[], counter: string | null): string {
	return [...conditions, ...(counter === null ? [] : [counted(counter)]), "accept"].join(" ");
}

/** What is matched, as nftables expressions. `by`: the interface, where the rule names one. */
function conditionsOf(
	match: FailsafeRule,
	direction: Direction,
	{ by, ports = packetPort }: { readonly by?: string; readonly ports?: PortKey } = {},
): string[] {
	const link = by ?? (match.interface && ownInterface(match.interface, direction));
	const parts = link === null ? [] : [link];
	if (match.cidr !== null) parts.push(addressText(match.cidr, direction));
	const { protocol, port, icmpType = null } = match;
	if (protocol === null) return parts;
	if (port !== null && isTransport(protocol)) {
		const { guard, read } = ports.read(protocol);
		parts.push(`${guard}${read} ${rangeText(port)}`);
	} else if (icmpType !== null) parts.push(`${protocol === icmp ? "icmp" : "icmpv6"} type ${icmpType}`);
	else parts.push(`${protocolKey} ${protocolNumber(protocol)}`);
	return parts;
}

function ownInterface(match: InterfaceMatch, direction: Direction): string {
	if (!isPlainInterface(match.name)) throw new Error("an interface name that cannot be rendered");
	return byInterface(direction === "ingress" ? "iifname" : "oifname", interfaceKey(match));
}

function addressText(cidr: Cidr, direction: Direction): string {
	if (cidr.prefix === 0) return ofFamily(cidr.family);
	return `${addressKey(cidr.family, direction === "ingress" ? "saddr" : "daddr")} ${formatCidr(cidr)}`;
}

/** Whether the failsafe rule accepts all that the atom matches. */
export function failsafeCovers(match: FailsafeRule, atom: Atom): boolean {
	if (!interfaceContains(match.interface, atom.interface)) return false;
	if (match.protocol !== null && match.protocol !== atom.protocol) return false;
	const { icmpType = null } = match;
	if (icmpType !== null && atom.source?.first !== icmpType) return false;
	if (match.port !== null) {
		if (atom.range === null) return false;
		if (atom.range.first < match.port.first || atom.range.last > match.port.last) return false;
	}
	if (match.cidr === null) return true;
	if (match.cidr.family !== atom.family) return false;
	const { first, last } = boundsOf(match.cidr);
	return first <= atom.first && last >= atom.last;
}

function boundsOf({ family, base, prefix }: Cidr): { first: Address; last: Address } {
	const last = base + (1n << BigInt((family === 4 ? 32 : 128) - prefix)) - 1n;
	return family === 4 ? { first: Number(base), last: Number(last) } : { first: base, last };
}

/** Whether an address, as an unsigned integer, lies in a block of its family. */
export function failsafeHoldsAddress(cidr: Cidr, address: bigint): boolean {
	const { first, last } = boundsOf(cidr);
	return first <= address && address <= last;
}
