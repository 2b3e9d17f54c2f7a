/** What the compiled rules say about an open connection, as if it were new. Pure. */

import { parseAddress } from "../../../base/cidr.ts";
import { isTransport, protocolOf } from "../../../base/protocol.ts";
import { interfaceMatches } from "../compile/atom.ts";
import { failsafeName } from "../compile/failsafe.ts";
import {
	type DirectionProgram,
	decidePacket,
	guestModel,
	type NetworkModel,
	namesOf,
	type Packet,
	type Sequences,
	sequencesFor,
	type Verdict,
} from "../compile/program.ts";
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
 */
export function flowJudge(model: NetworkModel, before?: ReadonlySet<string>): JudgeFlow {
	const guests = guestModel(model);
	const own = groupsOf(model);
	// Made anew only where some policy holds for one of the two alone.
	const same = guests?.ingress === model.ingress && guests.egress === model.egress;
	const groups = { own, forwarded: guests === null || same ? own : groupsOf(guests) };
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
		const said = known[group] ?? flowVerdict(decidePacket(deciding, { ...packet, interface: name }), before);
		known[group] = said;
		return said;
	};
}

/** Null where nothing of the flow is judged. */
function modelFor(model: NetworkModel, { forwarded }: JudgedFlow): NetworkModel | null {
	return forwarded ? guestModel(model) : model;
}

function groupsOf({ ingress, egress }: NetworkModel) {
	return { ingress: new InterfaceGroups(ingress), egress: new InterfaceGroups(egress) };
}

function packetOf(flow: JudgedFlow): Omit<Packet, "interface"> | null {
	const remote = parseAddress(flow.remote);
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
	readonly #sequences: Sequences[] = [];

	constructor(program: DirectionProgram) {
		this.#program = program;
	}

	of(name: string): number {
		const found = this.#byName.get(name);
		if (found !== undefined) return found;
		const sequences = sequencesFor(this.#program, name);
		if (!this.#sequences.includes(sequences)) this.#sequences.push(sequences);
		const names = namesOf(this.#program, name);
		const failsafe = this.#program.failsafe.map(({ match }) => interfaceMatches(match.interface, names));
		const key = `${this.#sequences.indexOf(sequences)} ${failsafe.join()}`;
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
