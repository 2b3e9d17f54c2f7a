/** What the thread that compiled the policies is asked about open connections and published ports. */

import { unitsByGroup } from "../../../kernel/senders/control-groups.ts";
import { guestModel, type NetworkModel } from "../compile/program.ts";
import { serviceLevels, servicesOf } from "../compile/render/senders.ts";
import { PublishedJudge } from "../compile/verdict/published-verdict.ts";
import { refusedReceivers } from "../compile/verdict/refused-receivers.ts";
import { adoptAllowed } from "../flows/adopt-connections.ts";
import { Connections } from "../flows/connections.ts";
import { flowJudge, type UnitsByGroup } from "../flows/flow-verdict.ts";
import { mutePorts } from "../flows/mute-ports.ts";
import type { JudgeCalls } from "./calls.ts";
import { drawGraph } from "./graph/draw-graph.ts";
import { decideSeen } from "./history/decide-seen.ts";

/** Nothing is looked at where no rule names a unit. */
function groupsOf({ egress }: NetworkModel): UnitsByGroup {
	return unitsByGroup(new Set(servicesOf(egress)), serviceLevels);
}

/** @param compiled the model of the policies read last; null where none were */
export function judgeCalls(compiled: () => NetworkModel | null): JudgeCalls {
	const connections = new Connections();
	return {
		judgeConnections(request) {
			const model = compiled();
			if (model === null) return { ...request, blocked: 0, strayed: 0, overflow: 0, muted: [], error: "" };
			const before = new Set(request.before);
			return connections.judge(flowJudge(model, before, groupsOf(model)), request, (network) =>
				mutePorts(model, {
					ports: network.servedPorts,
					interfaces: network.everywhere,
					before,
					muted: new Set(request.mutedPorts),
				}),
			);
		},
		adoptConnections() {
			const model = compiled();
			return model && adoptAllowed(flowJudge(model, undefined, groupsOf(model)));
		},
		judgePublished({ ports, interfaces }) {
			const model = compiled();
			if (model === null) return null;
			const judge = new PublishedJudge(model, guestModel(model), ports, interfaces);
			return ports.map((port) => judge.verdict(port));
		},
		judgeSeen({ questions, spared }) {
			const model = compiled();
			return model && decideSeen(model, questions, spared);
		},
		judgeReceivers({ receivers, sender }) {
			const model = compiled();
			return model && refusedReceivers(model, receivers, sender);
		},
		drawGraph() {
			const model = compiled();
			return model && drawGraph(model);
		},
		endConnections: () => connections.end(),
	};
}
