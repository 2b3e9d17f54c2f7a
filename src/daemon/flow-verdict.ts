/** What the compiled rules say about an open connection, as if it were new. Pure. */

import type { JudgedFlow } from "../apply/open-connections.ts";
import { failsafeName } from "../compile/failsafe.ts";
import { decidePacket, type NetworkModel, type Verdict } from "../compile/program.ts";
import { parseAddress } from "../policy/cidr.ts";
import { isTransport, protocolOf } from "../policy/protocol.ts";
import type { FlowVerdict } from "./connections.ts";

/** Null where the flow's remote end is no address. `networkInterface` may be "", which no rule names. */
export function decideFlow(model: NetworkModel, flow: JudgedFlow, networkInterface: string): Verdict | null {
	const remote = parseAddress(flow.remote);
	if ("message" in remote) return null;
	const protocol = protocolOf(flow.protocol);
	const sourcePort = flow.direction === "ingress" ? flow.cut.remotePort : flow.cut.localPort;
	return decidePacket(model, {
		direction: flow.direction,
		family: flow.family,
		address: remote.value,
		interface: networkInterface,
		protocol,
		port: flow.destinationPort,
		source: isTransport(protocol) ? sourcePort : (flow.icmpType ?? null),
	});
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
