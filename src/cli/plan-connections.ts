/** Which open connections a change of policies would end, this SSH session above all. */

import { type JudgedFlow, judgeable, type TrackedFlow } from "../apply/open-connections.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { NetworkModel } from "../compile/program.ts";
import { blockedOn, type JudgeFlow } from "../daemon/connections.ts";
import { decideFlow, flowVerdict } from "../daemon/flow-verdict.ts";
import { HostNetwork, localAddress, openFlows } from "../daemon/open-flows.ts";
import { openSockets } from "../observe/open-sockets.ts";
import { findSshSession, parseSshConnection } from "../observe/ssh-session.ts";
import type { Cause, ConnectionsPlan, CutConnection, SessionPlan } from "./plan-model.ts";

export interface Models {
	readonly before: NetworkModel;
	readonly after: NetworkModel;
}

/** Connections that are told one by one. */
const mostConnections = 1000;

/** IP protocol number. */
const tcp = 6;

export function causeOf(rule: CompiledRule): Cause {
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

const judge =
	(model: NetworkModel): JudgeFlow =>
	(flow, name) =>
		flowVerdict(decideFlow(model, flow, name));

/** Reads the connections of this network namespace. */
export function planConnections({ before, after }: Models): ConnectionsPlan {
	const read = HostNetwork.read();
	if (!read.ok) return { checked: false, reason: read.error, cut: [], total: 0 };
	const { network } = read;
	const sockets = new Set(
		openSockets().map(({ local, localPort, remote, remotePort }) =>
			endsKey(local, localPort, remote, remotePort),
		),
	);
	const cut: CutConnection[] = [];
	let total = 0;
	const flows = openFlows();
	for (;;) {
		const step = flows.next();
		if (step.done === true) return { checked: step.value === "", reason: step.value, cut, total };
		const flow = step.value;
		const judged = judgeable(flow, (address) => network.isLocal(address));
		if (judged === null) continue;
		const verdict = blockedOn(network, judge(after), judged, flow);
		if (verdict === "none" || verdict === blockedOn(network, judge(before), judged, flow)) continue;
		const connection = describe(network, after, judged, flow, verdict === "some");
		// Connection tracking remembers closed TCP connections for a while; the host's own sockets tell them apart.
		if (connection === null || (judged.protocol === tcp && !sockets.has(keyOf(connection)))) continue;
		total += 1;
		if (cut.length < mostConnections) cut.push(connection);
	}
}

function endsKey(local: string, localPort: number, remote: string, remotePort: number): string {
	return `${local} ${localPort} ${remote} ${remotePort}`;
}

function keyOf({ local, localPort, remote, remotePort }: CutConnection): string {
	return endsKey(local, localPort, remote, remotePort);
}

function describe(
	network: HostNetwork,
	model: NetworkModel,
	judged: JudgedFlow,
	flow: TrackedFlow,
	someInterfaces: boolean,
): CutConnection | null {
	const rule = network.everywhere
		.map((name) => decideFlow(model, judged, name))
		.find((verdict) => flowVerdict(verdict) === "blocked")?.rule;
	if (!rule) return null;
	const { direction, protocol, remote, cut } = judged;
	return {
		direction,
		protocol,
		local: localAddress(judged, flow),
		localPort: cut.localPort,
		remote,
		remotePort: cut.remotePort,
		cause: causeOf(rule),
		someInterfaces,
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
		remote: client,
		protocol: tcp,
		destinationPort: serverPort,
		cut: { family, remote: client, protocol: tcp, remotePort: clientPort, localPort: serverPort },
	};
	const flow: TrackedFlow = {
		family,
		protocol: tcp,
		original: {
			source: client,
			sourcePort: clientPort,
			destination: server,
			destinationPort: serverPort,
		},
		reply: { source: server, sourcePort: serverPort, destination: client, destinationPort: clientPort },
	};
	const owners = network.owners(judged, flow);
	const ways = owners.length > 0 ? owners : network.everywhere;
	const refused = ways
		.map((name) => decideFlow(after, judged, name))
		.find((verdict) => verdict?.action === "Block");
	const ended = blockedOn(network, judge(after), judged, flow);
	return {
		client,
		clientPort,
		server,
		serverPort,
		cut: ended !== "none" && ended !== blockedOn(network, judge(before), judged, flow),
		refused: refused !== undefined,
		cause: refused?.rule ? causeOf(refused.rule) : null,
	};
}
