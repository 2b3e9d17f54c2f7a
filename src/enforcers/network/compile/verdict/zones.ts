/**
 * The zones that a set of policies makes of the world: addresses about which it says the same, and what it says about
 * them. Found by meaning, so that rules written in another way give the same zones.
 */

import { formatCidr } from "../../../../base/cidr.ts";
import type { Action, Direction, Family, Protocol } from "../../../../base/model.ts";
import { isTransport, protocolText } from "../../../../base/protocol.ts";
import { blocksOf } from "../../../../document/block.ts";
import type { Address } from "../atom.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import { type InterfaceGroup, interfaceGroups } from "./interface-groups.ts";
import type { Piece } from "./verdict-pieces.ts";
import { allPorts, namedProtocols, type Range, VerdictSpace } from "./verdict-space.ts";

/** A protocol, or some ports of it, whose verdict in a zone is not the zone's own. */
export interface ZoneService {
	/** As `portward explain` takes it. */
	readonly protocol: string;
	/** Destination ports, inclusive; null: all, and for protocols without ports. */
	readonly ports: readonly [number, number] | null;
	readonly action: Action;
}

export interface Zone {
	readonly direction: Direction;
	/** `eth0`, `eth*`; null: every one that has no zones of its own. */
	readonly interface: string | null;
	/** Blocks of both families. */
	readonly addresses: readonly string[];
	/** Of a family the zone that has most addresses: everywhere else. */
	readonly rest: boolean;
	/** What becomes of everything that is no service here. */
	readonly otherwise: Action;
	readonly services: readonly ZoneService[];
}

/** So many verdicts are looked at; a drawing of more shows nobody anything. */
const mostVerdicts = 4_000_000;

export type ZonesResult =
	| { readonly ok: true; readonly zones: readonly Zone[] }
	| { readonly ok: false; readonly message: string };

/** New connections whose source port and type of ICMP no rule names. */
export function zonesOf(model: NetworkModel): ZonesResult {
	const zones: Zone[] = [];
	for (const direction of ["ingress", "egress"] as const) {
		const program = model[direction];
		const told: { readonly group: InterfaceGroup; readonly key: string }[] = [];
		for (const group of interfaceGroups([program])) {
			const found = zonesOfGroup(program, direction, group);
			if (found === null)
				return { ok: false, message: "the policies tell too many addresses and ports apart to be drawn" };
			const key = JSON.stringify(found.map((zone) => ({ ...zone, interface: null })));
			// From the widest to the narrowest: the last that holds it is the nearest.
			if (told.findLast((outer) => outer.group.holds(group))?.key === key) continue;
			told.push({ group, key });
			zones.push(...found);
		}
	}
	return { ok: true, zones };
}

function zonesOfGroup(
	program: DirectionProgram,
	direction: Direction,
	{ name, example }: InterfaceGroup,
): Zone[] | null {
	const joined = new Map<string, Zone & { addresses: string[]; rest: boolean }>();
	for (const family of [4, 6] as const) {
		const classes = classesOf(program, example, family);
		if (classes === null) return null;
		const most = classes.reduce((a, b) => (b.size > a.size ? b : a));
		for (const one of classes) {
			const { services, otherwise } = one;
			const rest = one === most;
			// The rest of one family is no neighbour of a narrow zone of the other.
			const key = JSON.stringify([services, otherwise, rest]);
			const zone = joined.get(key) ?? {
				...{ direction, interface: name, addresses: [], rest, otherwise, services },
			};
			for (const { first, last } of one.spans)
				zone.addresses.push(...blocksOf(family, first, last).map(formatCidr));
			joined.set(key, zone);
		}
	}
	return [...joined.values()].sort((a, b) => Number(a.rest) - Number(b.rest));
}

/** Addresses of one family with the same verdicts. */
interface AddressClass {
	readonly spans: readonly { readonly first: bigint; readonly last: bigint }[];
	readonly size: bigint;
	readonly otherwise: Action;
	readonly services: readonly ZoneService[];
}

interface Column {
	readonly protocol: Protocol | null;
	readonly ports: Range;
	/** Which of the distinct lists of pieces it has. */
	readonly list: number;
}

/** Null where there are too many verdicts. */
function classesOf(program: DirectionProgram, example: string, family: Family): AddressClass[] | null {
	const space = new VerdictSpace([program], example, family);
	const lists: (readonly Piece[])[] = [];
	const known = new Map<readonly Piece[], number>();
	const columns: Column[] = [];
	for (const protocol of namedProtocols([program])) {
		for (const { source, ports, pieces } of space.columns(protocol)) {
			if (source !== null) continue;
			const list = known.get(pieces) ?? lists.push(pieces) - 1;
			known.set(pieces, list);
			columns.push({ protocol, ports, list });
		}
	}
	const starts = [...new Set(lists.flatMap((pieces) => pieces.map(({ first }) => first)))];
	starts.sort((a, b) => (a < b ? -1 : 1));
	if (starts.length * lists.length > mostVerdicts) return null;
	const end = lists[0]?.at(-1)?.last ?? 0;
	const spans = new Map<string, { first: bigint; last: bigint }[]>();
	const cursors = lists.map(() => 0);
	for (const [index, first] of starts.entries()) {
		const next = starts[index + 1];
		const last = next === undefined ? BigInt(end) : BigInt(next) - 1n;
		const key = lists.map((pieces, list) => verdictAt(pieces, cursors, list, first)).join();
		const known = spans.get(key) ?? [];
		spans.set(key, known);
		const previous = known.at(-1);
		if (previous !== undefined && previous.last + 1n === BigInt(first)) previous.last = last;
		else known.push({ first: BigInt(first), last });
	}
	return [...spans].map(([key, own]) => ({
		spans: own,
		size: own.reduce((sum, { first, last }) => sum + last - first + 1n, 0n),
		...servicesOf(columns, key.split(",") as Action[]),
	}));
}

/** Addresses rise from call to call, so each list is gone through once. */
function verdictAt(pieces: readonly Piece[], cursors: number[], list: number, address: Address): Action {
	let at = cursors[list] ?? 0;
	for (let piece = pieces[at]; piece !== undefined && piece.last < address; piece = pieces[at]) at += 1;
	cursors[list] = at;
	return pieces[at]?.actions[0] ?? "Allow";
}

function servicesOf(columns: readonly Column[], verdicts: readonly Action[]) {
	const verdictOf = ({ list }: Column) => verdicts[list] ?? "Allow";
	const others = columns.find(({ protocol }) => protocol === null);
	const otherwise = others === undefined ? "Allow" : verdictOf(others);
	const runs: { protocol: Protocol; first: number; last: number; action: Action }[] = [];
	for (const column of columns) {
		const { protocol, ports } = column;
		if (protocol === null) continue;
		const action = verdictOf(column);
		const previous = runs.at(-1);
		if (previous?.protocol === protocol && previous.action === action) previous.last = ports.last;
		else runs.push({ protocol, ...ports, action });
	}
	const services = runs
		.filter(({ action }) => action !== otherwise)
		.map(({ protocol, first, last, action }): ZoneService => {
			const whole = first === allPorts.first && last === allPorts.last;
			const ports = whole || !isTransport(protocol) ? null : ([first, last] as const);
			return { protocol: protocolText(protocol), ports, action };
		});
	return { otherwise, services };
}
