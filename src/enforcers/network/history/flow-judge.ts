/** What a compiled model says about flows that were seen, many of them. */

import { addressBits } from "../../../base/cidr.ts";
import type { Direction } from "../../../base/model.ts";
import type { Sequences } from "../compile/groups.ts";
import {
	atAddress,
	type DirectionProgram,
	decideBySteps,
	findFailsafe,
	type NetworkModel,
	type Packet,
	seenBy,
	sequencesFor,
	type Verdict,
} from "../compile/program.ts";
import { firstOfKind, noSuffix } from "../compile/suffixes.ts";
import { packetOf } from "./anyway.ts";
import type { SeenFlow } from "./seen-flow.ts";

/** What becomes of a flow's addresses: one verdict of each kind that there is, of the lowest address that meets it. */
export interface FlowVerdict {
	/** Null: no address passes. */
	readonly passes: Verdict | null;
	/** Null: no address is blocked. */
	readonly blocked: Verdict | null;
}

/** Also where the settings keep the rule from doing so: what is asked is what policies say. */
function isBlock({ action, rule }: Verdict): boolean {
	return action === "Block" || rule?.wouldBe === "Block";
}

/** Asks one model. What it finds out about an interface, or a service, is kept for the next flow. */
export class FlowJudge {
	readonly #model: NetworkModel;
	readonly #sequences: Readonly<Record<Direction, Map<string, Sequences>>> = {
		ingress: new Map(),
		egress: new Map(),
	};
	/** Of egress: ingress knows no senders. */
	#bySender: readonly FlowJudge[] | null = null;
	readonly #bounds = new Map<string, readonly bigint[]>();

	constructor(model: NetworkModel) {
		this.#model = model;
	}

	/** The verdict about one packet. */
	decide(packet: Packet): Verdict {
		const program = this.#model[packet.direction];
		const failsafe = program.failsafe.length === 0 ? null : findFailsafe(program, packet);
		if (failsafe !== null) return { action: "Allow", rule: failsafe };
		const { protocol, source, port, family } = packet;
		const address = family === 4 ? Number(packet.address) : packet.address;
		const met = atAddress(program, family, packet.address);
		const sequences =
			met === program ? this.#sequencesOf(program, packet) : sequencesFor(met, packet.interface);
		return decideBySteps(program, sequences[family], { address, protocol, source, port });
	}

	/** Whether it hangs on the sender, of which a flow that was seen says nothing, how the flow fares. */
	hangsOnSender(flow: SeenFlow): boolean {
		const { senders } = this.#model[flow.direction];
		if (senders === undefined) return false;
		this.#bySender ??= senders.programs.map(
			({ sender }) =>
				new FlowJudge({ ...this.#model, [flow.direction]: seenBy(this.#model[flow.direction], sender) }),
		);
		const own = this.judge(flow);
		return this.#bySender.some((judge) => {
			const { passes, blocked } = judge.judge(flow);
			return (passes === null) !== (own.passes === null) || (blocked === null) !== (own.blocked === null);
		});
	}

	/** A flow whose remote end is a block of addresses may meet several verdicts. */
	judge(flow: SeenFlow): FlowVerdict {
		const { family, base, prefix } = flow.remote;
		let passes: Verdict | null = null;
		let blocked: Verdict | null = null;
		const size = 1n << BigInt(addressBits(family) - prefix);
		const corners = size === 1n ? [base] : this.#corners(flow, base, base + size);
		for (const address of this.#everyKind(flow, corners, base + size)) {
			const verdict = this.decide(packetOf(flow, address));
			if (isBlock(verdict)) blocked ??= verdict;
			else passes ??= verdict;
			if (passes !== null && blocked !== null) break;
		}
		return { passes, blocked };
	}

	#sequencesOf(program: DirectionProgram, { direction, interface: name }: Packet): Sequences {
		const known = this.#sequences[direction].get(name) ?? sequencesFor(program, name);
		this.#sequences[direction].set(name, known);
		return known;
	}

	/** Of each stretch between corners an address of every kind that suffixes tell apart; most have one. */
	#everyKind(
		{ direction, remote: { family } }: SeenFlow,
		corners: readonly bigint[],
		end: bigint,
	): readonly bigint[] {
		const { suffixes } = this.#model[direction];
		if (suffixes === undefined || family === 4 || corners.length === 0) return corners;
		const kinds = [noSuffix, ...suffixes.programs.map(({ kind }) => kind)];
		return corners.flatMap((first, i) => {
			const last = (corners[i + 1] ?? end) - 1n;
			return kinds.flatMap((kind) => firstOfKind({ first, last }, kind, suffixes.named) ?? []);
		});
	}

	/** The block's first address, and those in it from which on a verdict can be another. */
	#corners(flow: SeenFlow, first: bigint, end: bigint): readonly bigint[] {
		const bounds = this.#boundsOf(flow);
		let low = 0;
		let high = bounds.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((bounds[middle] ?? 0n) > first) high = middle;
			else low = middle + 1;
		}
		const corners = [first];
		for (let i = low; i < bounds.length; i++) {
			const bound = bounds[i];
			if (bound === undefined || bound >= end) break;
			corners.push(bound);
		}
		return corners;
	}

	/** Of every interface and port: one that no verdict hangs on costs a question, and they are found once for many flows. */
	#boundsOf({ direction, remote: { family }, protocol }: SeenFlow): readonly bigint[] {
		const key = `${direction} ${family} ${protocol}`;
		const known = this.#bounds.get(key);
		if (known !== undefined) return known;
		const program = this.#model[direction];
		const bounds = new Set<bigint>();
		for (const atom of program.atoms) {
			if (atom.family !== family || (atom.protocol !== null && atom.protocol !== protocol)) continue;
			for (const { first, last } of [atom, ...atom.holes]) bounds.add(BigInt(first)).add(BigInt(last) + 1n);
		}
		for (const { match } of program.failsafe) {
			if (match.cidr?.family !== family) continue;
			const { base, prefix } = match.cidr;
			bounds.add(base).add(base + (1n << BigInt(addressBits(family) - prefix)));
		}
		const sorted = [...bounds].sort((a, b) => (a < b ? -1 : 1));
		this.#bounds.set(key, sorted);
		return sorted;
	}
}
