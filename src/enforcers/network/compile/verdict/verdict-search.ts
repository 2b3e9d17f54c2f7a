/** Whether there is a packet of which a set of policies says this or that; and the word that there is none is right. */

import type { Action, Direction, Family, Protocol } from "../../../../base/model.ts";
import { isTransport } from "../../../../base/protocol.ts";
import type { Address } from "../atom.ts";
import { atKind, type DirectionProgram, type NetworkModel, type Packet, seenBy } from "../program.ts";
import { kindOf, namedSets, noSender, type SenderKey, senderKey } from "../sender.ts";
import { firstOfKind } from "../suffixes.ts";
import { interfaceGroups } from "./interface-groups.ts";
import { actionBeyond, quotaPrograms } from "./quota-programs.ts";
import { depthOf } from "./sender-boxes.ts";
import { type AddressKind, everyAddress, kindsOf } from "./suffix-boxes.ts";
import { namedProtocols, type Range, VerdictSpace } from "./verdict-space.ts";

/** The packets that are asked about. */
export interface Question {
	readonly direction: Direction;
	/** "any" for every protocol. */
	readonly protocol: Protocol | "any";
	/** Destination ports; null for all, and for protocols without ports. */
	readonly ports: Range | null;
	/** Remote addresses: disjoint, in rising order. */
	readonly addresses: Readonly<Record<Family, readonly { readonly first: bigint; readonly last: bigint }[]>>;
	/** Null: any interface. */
	readonly interface: string | null;
	/** Of each null: whoever sends. Absent: the same of all. */
	readonly sender?: SenderKey;
	/** `exhausted`: what is said where every quota is. Absent: where none is. */
	readonly quotas?: "exhausted";
	readonly action: Action;
}

/** The first packet found, the plainest first: unnamed interfaces and sources before named ones, IPv4 before IPv6. */
export function searchVerdict(model: NetworkModel, question: Question): Packet | null {
	const whole = model[question.direction];
	const asked = question.sender ?? noSender;
	const quotas = question.quotas === undefined ? [] : quotaPrograms(model, question.direction);
	for (const kind of kindsAskedAbout(whole, asked)) {
		const found = searchKinds(seenBy(whole, kind), quotas, question);
		if (found === null) continue;
		const sender = {
			user: asked.user ?? kind.user,
			group: asked.group ?? kind.group,
			service: asked.service ?? kind.service,
		};
		return senderKey(sender) === senderKey(noSender) ? found : { ...found, sender };
	}
	return null;
}

/** The kinds of senders that rules tell apart, of those who are asked about; the plainest first. */
function kindsAskedAbout({ senders }: DirectionProgram, asked: SenderKey): readonly SenderKey[] {
	const named = senders?.named ?? { users: [], groups: [], services: [] };
	const kind = kindOf(namedSets(named), asked);
	const fits = (of: keyof SenderKey, one: SenderKey) => asked[of] === null || one[of] === kind[of];
	// All of them, however many: that there is none has to be certain.
	const kinds = (senders?.programs ?? [])
		.map(({ sender }) => sender)
		.toSorted((a, b) => depthOf(a) - depthOf(b));
	return [noSender, ...kinds].filter(
		(one) => fits("user", one) && fits("group", one) && fits("service", one),
	);
}

/** Asks about addresses that no suffix matches, then about those of each kind. */
function searchKinds(
	program: DirectionProgram,
	quotas: readonly DirectionProgram[],
	question: Question,
): Packet | null {
	for (const addresses of kindsOf([program], 6)) {
		const found = searchPrograms([atKind(program, addresses.kind), ...quotas], question, addresses);
		if (found !== null) return found;
	}
	return null;
}

/** The first of the programs decides, the others are quotas. */
function searchPrograms(
	programs: readonly DirectionProgram[],
	question: Question,
	addresses: AddressKind,
): Packet | null {
	const names =
		question.interface === null
			? interfaceGroups(programs).map(({ example }) => example)
			: [question.interface];
	const protocols = question.protocol === "any" ? namedProtocols(programs) : [question.protocol];
	const asked: (readonly unknown[])[] = [];
	for (const networkInterface of names) {
		for (const family of addresses.kind.length === 0 ? ([4, 6] as const) : ([6] as const)) {
			const space = new VerdictSpace(programs, networkInterface, family);
			const identity = [family, ...space.identity];
			if (asked.some((one) => one.every((part, i) => part === identity[i]))) continue;
			asked.push(identity);
			for (const protocol of protocols) {
				const found = searchSpace(space, family, protocol, question, addresses);
				if (found !== null)
					return { direction: question.direction, family, interface: networkInterface, protocol, ...found };
			}
		}
	}
	return null;
}

function searchSpace(
	space: VerdictSpace,
	family: Family,
	protocol: Protocol | null,
	{ ports: wanted, addresses, action }: Question,
	kind: AddressKind,
): Pick<Packet, "address" | "port" | "source"> | null {
	for (const { source, ports, pieces } of space.columns(protocol)) {
		const lowest = Math.max(ports.first, wanted?.first ?? 0);
		const highest = Math.min(ports.last, wanted?.last ?? ports.last);
		if (lowest > highest) continue;
		// Nobody uses port 0, though packets may bear it.
		const first = lowest === 0 && highest > 0 ? 1 : lowest;
		for (const piece of pieces) {
			if (actionBeyond(piece.actions) !== action) continue;
			const address = commonAddress(piece, addresses[family], family === 4 ? everyAddress : kind);
			if (address === null) continue;
			return { address, port: isTransport(protocol) ? first : 0, source: source?.first ?? null };
		}
	}
	return null;
}

function commonAddress(
	piece: { readonly first: Address; readonly last: Address },
	addresses: readonly { readonly first: bigint; readonly last: bigint }[],
	{ kind, named }: AddressKind,
): bigint | null {
	const [from, to] = [BigInt(piece.first), BigInt(piece.last)];
	for (const { first, last } of addresses) {
		const start = first > from ? first : from;
		const end = last < to ? last : to;
		if (start > end) continue;
		const found = named.length === 0 ? start : firstOfKind({ first: start, last: end }, kind, named);
		if (found !== null) return found;
	}
	return null;
}
