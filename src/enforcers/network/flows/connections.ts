/** Finds and ends the open connections that the rules in force block. */

import { Conntrack, type ConntrackEntry } from "../../../kernel/conntrack.ts";
import { socketKey } from "../../../kernel/host-sockets.ts";
import { destroySockets, type SocketHandle } from "../../../kernel/socket-diag.ts";
import type { JudgeRequest, OpenConnections } from "../run/calls.ts";
import type { Muted } from "./mute-ports.ts";
import type { JudgedFlow } from "./open-connections.ts";
import { HostNetwork, type OpenFlow, openFlows, otherInterface } from "./open-flows.ts";
import { type Rank, RefusedFlows } from "./refused-list.ts";

/**
 * `blocked`: by an explicit Block that is new. `held`: by one that was in force before. `posture`: refused by the default posture. `failsafe`: accepted whatever the
 * policies say. `other`: none of these.
 */
export type FlowVerdict = "blocked" | "held" | "posture" | "failsafe" | "other";

/** Asks the compiled rules about one flow on one interface. */
export type JudgeFlow = (flow: JudgedFlow, networkInterface: string) => FlowVerdict;

/** What becomes of an open flow. */
export interface FlowFate {
	/** `all`: blocked on every interface. `some`: on those that its packets take. `none`: it goes on. */
	readonly blocked: "all" | "some" | "none";
	/** The role in which it is blocked; else the likeliest. */
	readonly flow: JudgedFlow;
	/** With `some`: the interfaces on which it is blocked. */
	readonly interfaces: readonly string[];
}

export class Connections {
	#entries: ConntrackEntry[] = [];
	#sockets: SocketHandle[] = [];

	/** Reads the open connections and judges them, and the flows refused before, by the rules now in force. */
	judge(
		verdict: JudgeFlow,
		{ refused: before, spared, strict, guests }: JudgeRequest,
		mute: (network: HostNetwork) => Muted = () => ({ ports: [], overflow: 0 }),
	): OpenConnections {
		this.#entries = [];
		this.#sockets = [];
		const none = { blocked: 0, strayed: 0, overflow: 0, muted: [] };
		const read = HostNetwork.read(guests);
		if (!read.ok) return { ...none, refused: before, spared, error: read.error };
		const { network } = read;
		const refused = new RefusedFlows();
		for (const flow of before) {
			if (flow.forwarded && !network.judgesForwarded) continue;
			const fate = fateOf(network, verdict, [flow]);
			if (fate?.blocked === "none" || fate === null) continue;
			refused.add(withInterfaces(fate), network.sockets.connected.has(keyOf(flow)) ? "socket" : "earlier");
		}
		const known = new Set(spared);
		const nowSpared: string[] = [];
		let blocked = 0;
		let strayed = 0;
		const flows = openFlows(network.sockets);
		let step = flows.next();
		for (; step.done !== true; step = flows.next()) {
			const open = step.value;
			const roles = network.roles(open);
			const fate = fateOf(network, verdict, roles);
			if (fate === null) continue;
			if (fate.blocked !== "none") {
				blocked += 1;
				this.#end(open);
				refused.add(withInterfaces(fate), rankOf(network, open));
				continue;
			}
			const [first] = roles;
			if (first === undefined || !strays(network, verdict, first)) continue;
			const key = keyOf(first);
			if (!strict || known.has(key)) nowSpared.push(key);
			else {
				strayed += 1;
				this.#end(open);
			}
		}
		network.close();
		const muted = mute(network);
		const { flows: fitting, overflow } = refused.fitting();
		return {
			blocked,
			strayed,
			refused: fitting,
			muted: muted.ports,
			overflow: overflow + muted.overflow,
			spared: nowSpared,
			error: step.value,
		};
	}

	/** Deletes the entries that `judge` found, so that their next packet is judged again, and ends the sockets. */
	end(): { ended: number; error: string } {
		const entries = this.#entries;
		const sockets = this.#sockets;
		this.#entries = [];
		this.#sockets = [];
		if (entries.length === 0) return { ended: destroySockets(sockets), error: "" };
		const opened = Conntrack.open();
		if (!opened.ok) return { ended: 0, error: opened.error };
		const { deleted, error } = opened.conntrack.deleteAll(entries);
		opened.conntrack.close();
		destroySockets(sockets);
		return { ended: deleted, error };
	}

	#end({ entry, socket }: OpenFlow): void {
		if (entry !== null) this.#entries.push(entry);
		if (socket?.handle) this.#sockets.push(socket.handle);
	}
}

/**
 * What the explicit Blocks mean for a flow in these roles; null where there are none. A failsafe rule for the
 * interface that has the flow's local address spares it wholly: judged anew, it would have to wait for a packet of
 * the side that the rule is for. A Block that was in force before counts in the likeliest role alone: what it would
 * end in another one began under it, so it is what it seems. Where only some interfaces are blocked, the flow ends if its packets are to be
 * expected on one of them, or nobody knows where.
 */
export function fateOf(
	network: HostNetwork,
	verdict: JudgeFlow,
	roles: readonly JudgedFlow[],
): FlowFate | null {
	const [first] = roles;
	if (first === undefined) return null;
	const spared: FlowFate = { blocked: "none", flow: first, interfaces: [] };
	const owners = network.owners(first);
	let found: FlowFate = spared;
	for (const flow of roles) {
		if (owners.some((name) => verdict(flow, name) === "failsafe")) return spared;
		const blocks = (name: string) => {
			const said = verdict(flow, name);
			return said === "blocked" || (said === "held" && flow === first);
		};
		const names = network.everywhere.filter(blocks);
		if (names.length === network.everywhere.length) {
			if (found.blocked !== "all") found = { blocked: "all", flow, interfaces: [] };
		} else if (names.length > 0 && found.blocked === "none") {
			const ways = network.expected(flow);
			if (ways.length > 0 && !ways.some((name) => names.includes(name))) continue;
			found = { blocked: "some", flow, interfaces: names.filter((name) => name !== otherInterface) };
		}
	}
	return found;
}

/** Whether the policies as a whole would refuse the flow if it were new. */
export function strays(network: HostNetwork, verdict: JudgeFlow, flow: JudgedFlow): boolean {
	const refuses = (name: string) => {
		const said = verdict(flow, name);
		return said === "posture" || said === "blocked" || said === "held";
	};
	// Most flows pass on every interface, and need no look at the routes.
	if (!network.everywhere.some(refuses)) return false;
	const ways = network.expected(flow);
	return (ways.length > 0 ? ways : network.everywhere).every(refuses);
}

function withInterfaces({ flow, blocked, interfaces }: FlowFate): JudgedFlow {
	const { interfaces: _, ...cut } = flow.cut;
	return { ...flow, cut: blocked === "some" ? { ...cut, interfaces } : cut };
}

function rankOf(network: HostNetwork, { entry, socket }: OpenFlow): Rank {
	if (socket !== null) return "socket";
	if (entry?.assured === true) return "assured";
	// Anybody can make an entry of a packet that nobody answers, under any address but this host's.
	return entry?.replied === true || network.isLocal(entry?.original.source ?? "") ? "answered" : "unanswered";
}

/** Names a flow as the socket of this end would. */
function keyOf({ protocol, local, remote, cut }: JudgedFlow): string {
	return socketKey(protocol, local, cut.localPort, remote, cut.remotePort);
}
