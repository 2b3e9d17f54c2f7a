/** Finds and ends the open connections that the rules in force block. */

import { type Blocked, type JudgedFlow, judgeFlows, type TrackedFlow } from "../apply/open-connections.ts";
import { Conntrack, type ConntrackEntry } from "../observe/conntrack.ts";
import type { OpenConnections } from "./calls.ts";
import { HostNetwork, isTracked, openFlows } from "./open-flows.ts";

/** `blocked`: by an explicit Block. `failsafe`: accepted whatever the policies say. `other`: neither ends it. */
export type FlowVerdict = "blocked" | "failsafe" | "other";

/** Asks the compiled rules about one flow on one interface. */
export type JudgeFlow = (flow: JudgedFlow, networkInterface: string) => FlowVerdict;

/** Refused flows kept in mind; the kernel's sets have the same bound. */
const maxCuts = 65_536;

export class Connections {
	#toEnd: ConntrackEntry[] = [];

	/** Reads the open connections and judges them, and the flows refused before, by the rules now in force. */
	judge(verdict: JudgeFlow, refusedBefore: readonly JudgedFlow[]): OpenConnections {
		this.#toEnd = [];
		const read = HostNetwork.read();
		if (!read.ok) return { ended: 0, refused: refusedBefore, error: read.error };
		const { network } = read;
		const refused = new Refused();
		for (const flow of refusedBefore) if (blockedOn(network, verdict, flow) === "all") refused.add(flow);
		let error = "";
		const flows = whole(openFlows(), (problem) => {
			error = problem;
		});
		const verdicts = judgeFlows(
			flows,
			(address) => network.isLocal(address),
			(judged, flow) => blockedOn(network, verdict, judged, flow),
		);
		// Those without an entry have none to delete, but the next packet of either side would make one.
		this.#toEnd = verdicts.ended.filter(isTracked);
		for (const flow of verdicts.refused) refused.add(flow);
		return { ended: this.#toEnd.length, refused: refused.flows, error };
	}

	/** Deletes the entries that `judge` found, so that their next packet is judged again. */
	end(): { ended: number; error: string } {
		if (this.#toEnd.length === 0) return { ended: 0, error: "" };
		const opened = Conntrack.open();
		if (!opened.ok) return { ended: 0, error: opened.error };
		let ended = 0;
		let error = "";
		for (const entry of this.#toEnd) {
			const deleted = opened.conntrack.delete(entry);
			if (deleted.ok) ended += 1;
			else error = deleted.error;
		}
		opened.conntrack.close();
		this.#toEnd = [];
		return { ended, error };
	}
}

/**
 * On which interfaces a flow is blocked. A failsafe rule for the interface that has the flow's local address
 * spares it wholly: judged anew, it would have to wait for a packet of the side that the rule is for.
 */
export function blockedOn(
	network: HostNetwork,
	verdict: JudgeFlow,
	judged: JudgedFlow,
	flow?: TrackedFlow,
): Blocked {
	const owners = flow === undefined ? [] : network.owners(judged, flow);
	if (owners.some((name) => verdict(judged, name) === "failsafe")) return "none";
	const count = network.everywhere.filter((name) => verdict(judged, name) === "blocked").length;
	return count === 0 ? "none" : count === network.everywhere.length ? "all" : "some";
}

/** Flows by tuple, the newest ones where there are too many. */
class Refused {
	readonly #flows = new Map<string, JudgedFlow>();

	add(flow: JudgedFlow): void {
		const { remote, protocol, remotePort, localPort } = flow.cut;
		this.#flows.set(`${remote} ${protocol} ${remotePort} ${localPort}`, flow);
		if (this.#flows.size <= maxCuts) return;
		const oldest = this.#flows.keys().next().value;
		if (oldest !== undefined) this.#flows.delete(oldest);
	}

	get flows(): JudgedFlow[] {
		return [...this.#flows.values()];
	}
}

/** The items, and what the generator returned to `tell`. */
function* whole<T, R>(items: Generator<T, R, void>, tell: (result: R) => void): Generator<T> {
	tell(yield* items);
}
