/** What the compiled rules say about an open connection, as if it were new. Pure. */

import { parseSeenAddress } from "../../../base/cidr.ts";
import { isTransport, protocolOf } from "../../../base/protocol.ts";
import type { SocketOwnership } from "../../../kernel/socket-diag.ts";
import { interfaceMatches } from "../compile/atom.ts";
import { failsafeName } from "../compile/failsafe.ts";
import type { Sequences } from "../compile/groups.ts";
import {
	allSequencesOn,
	type DirectionProgram,
	decidePacket,
	guestModel,
	type NetworkModel,
	namesOf,
	type Packet,
	type Verdict,
} from "../compile/program.ts";
import type { NamedSenders, SenderKey } from "../compile/sender.ts";
import type { FlowVerdict, JudgeFlow } from "./connections.ts";
import type { JudgedFlow } from "./open-connections.ts";

/** Null where the flow's remote end is no address. `networkInterface` may be "", which no rule names. */
export function decideFlow(model: NetworkModel, flow: JudgedFlow, networkInterface: string): Verdict | null {
	const packet = packetOf(flow);
	const deciding = modelFor(model, flow);
	return packet && deciding && decidePacket(deciding, { ...packet, interface: networkInterface });
}

/**
 * The same for many flows, each on one interface after the other: interfaces that no rule tells apart are asked about
 * once.
 * @param before see `flowVerdict`.
 * @param unitsByGroup the unit of each control group, for units that rules name.
 */
export function flowJudge(
	model: NetworkModel,
	before?: ReadonlySet<string>,
	unitsByGroup: UnitsByGroup = new Map(),
): JudgeFlow {
	const guests = guestModel(model);
	const own = groupsOf(model);
	// Made anew only where some policy holds for one of the two alone.
	const same = guests?.ingress === model.ingress && guests.egress === model.egress;
	const groups = { own, forwarded: guests === null || same ? own : groupsOf(guests) };
	const verdictOf = (deciding: NetworkModel, one: Packet, { forwarded, owner }: JudgedFlow): FlowVerdict => {
		const named = forwarded === true ? undefined : deciding[one.direction].senders?.named;
		if (named === undefined) return flowVerdict(decidePacket(deciding, one), before);
		let common: FlowVerdict = "blocked";
		for (const sender of possibleSenders(named, owner, unitsByGroup)) {
			common = weaker(common, flowVerdict(decidePacket(deciding, { ...one, sender }), before));
			// Whatever else is said of the others, it goes on.
			if (common === "other") break;
		}
		return common;
	};
	let last: JudgedFlow | null = null;
	let packet: Omit<Packet, "interface"> | null = null;
	let known: (FlowVerdict | undefined)[] = [];
	return (flow, name) => {
		if (flow !== last) {
			last = flow;
			packet = packetOf(flow);
			known = [];
		}
		const deciding = modelFor(model, flow);
		if (packet === null || deciding === null) return "other";
		const group = groups[flow.forwarded ? "forwarded" : "own"][flow.direction].of(name);
		const said = known[group] ?? verdictOf(deciding, { ...packet, interface: name }, flow);
		known[group] = said;
		return said;
	};
}

/** The unit of each control group, by its number in digits. */
export type UnitsByGroup = ReadonlyMap<string, string>;

/** Who may have sent a flow's packets: the kernel tells a socket's user and control group, and not its user's group. */
function* possibleSenders(
	named: NamedSenders,
	owner: SocketOwnership | undefined,
	unitsByGroup: UnitsByGroup,
): Generator<SenderKey> {
	const controlGroup = owner?.controlGroup ?? null;
	const services =
		controlGroup === null ? [null, ...named.services] : [unitsByGroup.get(controlGroup) ?? null];
	const users = owner === undefined ? [null, ...named.users] : [owner.user];
	for (const user of users)
		for (const service of services)
			for (const group of [null, ...named.groups]) yield { user, group, service };
}

/** From what lets a flow go on in any case to what ends it. */
const byStrength: readonly FlowVerdict[] = ["other", "failsafe", "posture", "held", "blocked"];

/** What holds whoever of two sends. Where it cannot be told whether the policies let a flow pass, it goes on. */
function weaker(a: FlowVerdict, b: FlowVerdict): FlowVerdict {
	return byStrength.indexOf(a) < byStrength.indexOf(b) ? a : b;
}

/** Null where nothing of the flow is judged. */
function modelFor(model: NetworkModel, { forwarded }: JudgedFlow): NetworkModel | null {
	return forwarded ? guestModel(model) : model;
}

function groupsOf({ ingress, egress }: NetworkModel) {
	return { ingress: new InterfaceGroups(ingress), egress: new InterfaceGroups(egress) };
}

function packetOf(flow: JudgedFlow): Omit<Packet, "interface"> | null {
	const remote = parseSeenAddress(flow.remote);
	if ("message" in remote) return null;
	const protocol = protocolOf(flow.protocol);
	const sourcePort = flow.direction === "ingress" ? flow.cut.remotePort : flow.cut.localPort;
	return {
		direction: flow.direction,
		family: flow.family,
		address: remote.value,
		protocol,
		port: flow.destinationPort,
		source: isTransport(protocol) ? sourcePort : (flow.icmpType ?? null),
	};
}

/** Numbers for interfaces, equal where every packet meets one verdict on them. */
class InterfaceGroups {
	readonly #program: DirectionProgram;
	readonly #byName = new Map<string, number>();
	readonly #numbers: string[] = [];
	readonly #sequences: (readonly Sequences[])[] = [];

	constructor(program: DirectionProgram) {
		this.#program = program;
	}

	of(name: string): number {
		const found = this.#byName.get(name);
		if (found !== undefined) return found;
		const sequences = allSequencesOn(this.#program, name);
		const alike = (one: readonly Sequences[]) => one.every((part, i) => part === sequences[i]);
		const known = this.#sequences.findIndex(alike);
		const place = known < 0 ? this.#sequences.push(sequences) - 1 : known;
		const names = namesOf(this.#program, name);
		const failsafe = this.#program.failsafe.map(({ match }) => interfaceMatches(match.interface, names));
		const key = `${place} ${failsafe.join()}`;
		if (!this.#numbers.includes(key)) this.#numbers.push(key);
		const number = this.#numbers.indexOf(key);
		this.#byName.set(name, number);
		return number;
	}
}

/**
 * What a verdict means for a connection that is open: the posture ends none.
 * @param before counters of the rules that were in force before.
 */
export function flowVerdict(verdict: Verdict | null, before?: ReadonlySet<string>): FlowVerdict {
	if (verdict === null || verdict.rule === null) return "other";
	if (verdict.rule.policy === failsafeName && verdict.rule.place === null) return "failsafe";
	if (verdict.action !== "Block") return "other";
	if (verdict.rule.index < 0) return "posture";
	return before?.has(verdict.rule.counter) ? "held" : "blocked";
}
