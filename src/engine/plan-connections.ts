/** Which open connections a change of policies would end, this SSH session above all. */

import type { CompiledRule } from "../enforcers/network/compile/plan.ts";
import type { NetworkModel } from "../enforcers/network/compile/program.ts";
import { type FlowFate, fateOf, strays } from "../enforcers/network/flows/connections.ts";
import { decideFlow, flowJudge, flowVerdict } from "../enforcers/network/flows/flow-verdict.ts";
import type { GuestPlaces } from "../enforcers/network/flows/guest-addresses.ts";
import type { JudgedFlow } from "../enforcers/network/flows/open-connections.ts";
import { HostNetwork, type OpenFlow, openFlows } from "../enforcers/network/flows/open-flows.ts";
import { findSshSession, parseSshConnection } from "../kernel/ssh-session.ts";
import type { Cause, ConnectionsPlan, CutConnection, SessionPlan } from "./plan-model.ts";

export interface Models {
	readonly before: NetworkModel;
	readonly after: NetworkModel;
}

/** Connections that are told one by one. */
const mostConnections = 1000;

/** IP protocol number. */
const tcp = 6;

function causeOf(rule: CompiledRule): Cause {
	const { policy, direction, index, action, place } = rule;
	return {
		policy,
		direction,
		index: index < 0 ? null : index,
		action,
		file: place?.file ?? null,
		line: place?.line ?? null,
	};
}

/**
 * Reads the connections of this network namespace.
 * @param atStart count also those that a first start would end, as `endRefusedAtStart` says.
 * @param places where guests are whose connections are ended as well; null where they are not.
 */
export function planConnections(
	{ before, after }: Models,
	atStart = false,
	places: GuestPlaces | null = null,
): ConnectionsPlan {
	const read = HostNetwork.read(places);
	if (!read.ok)
		return { checked: false, reason: read.error, cut: [], total: 0, refusedAtStart: atStart ? 0 : null };
	const { network } = read;
	const judgeBefore = flowJudge(before);
	const judgeAfter = flowJudge(after);
	const cut: CutConnection[] = [];
	let total = 0;
	let refused = 0;
	const flows = openFlows(network.sockets);
	let step = flows.next();
	for (; step.done !== true; step = flows.next()) {
		const roles = network.roles(step.value);
		const [first] = roles;
		if (isOver(step.value, first?.forwarded === true)) continue;
		const fate = fateOf(network, judgeAfter, roles);
		if (first === undefined || fate === null) continue;
		if (fate.blocked === "none") {
			if (atStart && strays(network, judgeAfter, first)) refused += 1;
			continue;
		}
		if (fate.blocked === fateOf(network, judgeBefore, roles)?.blocked) continue;
		const connection = describe(network, after, fate);
		if (connection === null) continue;
		total += 1;
		if (cut.length < mostConnections) cut.push(connection);
	}
	network.close();
	const reason = step.value;
	return { checked: reason === "", reason, cut, total, refusedAtStart: atStart ? refused : null };
}

/**
 * Connection tracking remembers closed TCP connections for a while; the host's own sockets tell them apart. Those of
 * guests lie in other network namespaces.
 */
function isOver({ entry, socket }: OpenFlow, forwarded: boolean): boolean {
	return entry?.protocol === tcp && (forwarded ? entry.ended === true : socket === null);
}

function describe(
	network: HostNetwork,
	model: NetworkModel,
	{ flow, blocked }: FlowFate,
): CutConnection | null {
	const rule = network.everywhere
		.map((name) => decideFlow(model, flow, name))
		.find((verdict) => flowVerdict(verdict) === "blocked")?.rule;
	if (!rule) return null;
	const { direction, protocol, local, remote, cut } = flow;
	return {
		direction,
		protocol,
		local,
		localPort: cut.localPort,
		remote,
		remotePort: cut.remotePort,
		cause: causeOf(rule),
		someInterfaces: blocked === "some",
		guest: flow.forwarded === true,
	};
}

/** The SSH session of this process or of an ancestor of it; null without one. */
export function planSession({ before, after }: Models, pid = process.pid): SessionPlan | null {
	const session = findSshSession(pid);
	const ends = session && parseSshConnection(session.connection);
	const read = HostNetwork.read();
	if (!ends || !read.ok) return null;
	const { network } = read;
	const { family, client, clientPort, server, serverPort } = ends;
	const judged: JudgedFlow = {
		direction: "ingress",
		family,
		local: server,
		remote: client,
		protocol: tcp,
		destinationPort: serverPort,
		cut: { family, remote: client, protocol: tcp, remotePort: clientPort, localPort: serverPort },
	};
	const owners = network.owners(judged);
	const ways = owners.length > 0 ? owners : network.everywhere;
	const refused = ways
		.map((name) => decideFlow(after, judged, name))
		.find((verdict) => verdict?.action === "Block");
	const ended = fateOf(network, flowJudge(after), [judged])?.blocked;
	const endedBefore = fateOf(network, flowJudge(before), [judged])?.blocked;
	network.close();
	return {
		client,
		clientPort,
		server,
		serverPort,
		cut: ended !== "none" && ended !== endedBefore,
		refused: refused !== undefined,
		cause: refused?.rule ? causeOf(refused.rule) : null,
	};
}
