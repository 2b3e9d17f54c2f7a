/** All that a set of policies says about one remote address: what becomes of which port, and which rule decides. */

import type { Address } from "../../../../base/cidr.ts";
import type { Action, Direction, Protocol } from "../../../../base/model.ts";
import { isIcmp, isTransport, protocolFits, protocolText } from "../../../../base/protocol.ts";
import type { CompiledRule } from "../plan.ts";
import { atAddress, decidePacket, type NetworkModel } from "../program.ts";
import { type InterfaceGroup, interfaceGroups } from "./interface-groups.ts";
import { allPorts, namedProtocols, type Range, VerdictSpace } from "./verdict-space.ts";

/** New connections of which one rule decides. */
export interface PortVerdict {
	readonly direction: Direction;
	/** As `portward explain` takes it; "any": every one that has no line of its own on this interface. */
	readonly protocol: string;
	/** Destination ports, inclusive; null: all, and for protocols without ports. */
	readonly ports: readonly [number, number] | null;
	/** Source ports, only where rules name some; absent: every one that has no line of its own. */
	readonly sourcePorts?: readonly [number, number];
	/** The same of ICMP's types. */
	readonly icmpTypes?: readonly [number, number];
	/** A name, or with a `*` at its end the beginning of one; null: every one that has no lines of its own. */
	readonly interface: string | null;
	readonly action: Action;
	/** Null: no rule matches, and no Allow makes the direction an allow-list. */
	readonly rule: CompiledRule | null;
}

interface Line {
	readonly source: Range | null;
	readonly ports: { readonly first: number; last: number };
	readonly action: Action;
	readonly rule: CompiledRule | null;
}

/** @param networkInterface the only one that is asked about; null for every one that rules tell apart. */
export function verdictsByPort(
	model: NetworkModel,
	remote: Address,
	networkInterface: string | null,
): PortVerdict[] {
	return (["ingress", "egress"] as const).flatMap((direction) => {
		if (networkInterface !== null) {
			return ofInterface(model, direction, remote, { name: networkInterface, example: networkInterface });
		}
		const told: { readonly group: InterfaceGroup; readonly key: string }[] = [];
		return interfaceGroups([model[direction]]).flatMap((group) => {
			const verdicts = ofInterface(model, direction, remote, group);
			const key = verdicts.map(keyOf).join(";");
			// From the widest to the narrowest: the last that holds it is the nearest.
			if (told.findLast((outer) => outer.group.holds(group))?.key === key) return [];
			told.push({ group, key });
			return verdicts;
		});
	});
}

function keyOf({ protocol, ports, sourcePorts, icmpTypes, rule }: PortVerdict): string {
	return JSON.stringify([protocol, ports, sourcePorts, icmpTypes, rule?.id]);
}

function ofInterface(
	model: NetworkModel,
	direction: Direction,
	remote: Address,
	{ name, example }: { readonly name: string | null; readonly example: string },
): PortVerdict[] {
	const program = atAddress(model[direction], remote.family, remote.value);
	const space = new VerdictSpace([program], example, remote.family);
	const lines = (protocol: Protocol | null) => linesOf(model, direction, remote, example, protocol, space);
	const text = (all: readonly Line[]) =>
		JSON.stringify(all.map(({ source, ports, rule }) => [source, ports.first, ports.last, rule?.id]));
	const others = lines(null);
	const plain = text(others);
	return namedProtocols([program]).flatMap((protocol) => {
		if (protocol !== null && !protocolFits(protocol, remote.family)) return [];
		const own = protocol === null ? others : lines(protocol);
		if (protocol !== null && text(own) === plain) return [];
		return own.map(({ source, ports, action, rule }): PortVerdict => {
			const whole = ports.first === allPorts.first && ports.last === allPorts.last;
			const range = source === null ? null : ([source.first, source.last] as const);
			return {
				direction,
				protocol: protocol === null ? "any" : protocolText(protocol),
				ports: whole || !isTransport(protocol) ? null : [ports.first, ports.last],
				...(range === null ? {} : isIcmp(protocol) ? { icmpTypes: range } : { sourcePorts: range }),
				interface: name,
				action,
				rule,
			};
		});
	});
}

/** One protocol's lines: those of sources that no rule names, and of each named range that differs from them. */
function linesOf(
	model: NetworkModel,
	direction: Direction,
	{ family, value }: Address,
	networkInterface: string,
	protocol: Protocol | null,
	space: VerdictSpace,
): Line[] {
	const bySource = new Map<Range | null, Line[]>();
	for (const { source, ports } of space.columns(protocol)) {
		const packet = { direction, family, address: value, interface: networkInterface, protocol };
		const { action, rule } = decidePacket(model, {
			...packet,
			port: isTransport(protocol) ? ports.first : 0,
			source: source?.first ?? null,
		});
		const lines = bySource.get(source) ?? [];
		bySource.set(source, lines);
		const previous = lines.at(-1);
		if (previous?.action === action && previous.rule === rule) previous.ports.last = ports.last;
		else lines.push({ source, ports: { ...ports }, action, rule });
	}
	const plain = bySource.get(null) ?? [];
	const alike = (lines: readonly Line[]) =>
		lines.length === plain.length &&
		lines.every(({ ports, rule }, i) => ports.last === plain[i]?.ports.last && rule === plain[i]?.rule);
	return [...bySource].flatMap(([source, lines]) => (source !== null && alike(lines) ? [] : lines));
}
