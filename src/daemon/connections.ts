/** Finds and ends the open connections that the rules in force block. */

import {
	type Blocked,
	type JudgedFlow,
	judgeFlows,
	type TrackedFlow,
	type Tuple,
} from "../apply/open-connections.ts";
import { Conntrack, type ConntrackEntry } from "../observe/conntrack.ts";
import { localInterfaces } from "../observe/local-interfaces.ts";
import { type OpenSocket, openSockets } from "../observe/open-sockets.ts";
import type { OpenConnections } from "./calls.ts";

/** Asks the compiled rules about one flow on one interface: true for an explicit Block. */
export type BlocksFlow = (flow: JudgedFlow, networkInterface: string) => boolean;

/** Never an interface's name, so only rules without `iface` match it. */
const otherInterface = "";

/** IP protocol number. */
const tcp = 6;

/** Refused flows kept in mind; the kernel's sets have the same bound. */
const maxCuts = 65_536;

export class Connections {
	#toEnd: ConntrackEntry[] = [];

	/** Reads the open connections and judges them, and the flows refused before, by the rules now in force. */
	judge(blocks: BlocksFlow, refusedBefore: readonly JudgedFlow[]): OpenConnections {
		this.#toEnd = [];
		const own = localInterfaces();
		if (!own.ok) return { ended: 0, refused: refusedBefore, error: own.error };
		const { names, addresses } = own.interfaces;
		const isLocal = (address: string) =>
			addresses.has(address) || address.startsWith("127.") || address === "::1";
		const everywhere = [...names.filter((name) => name !== "lo"), otherInterface];
		const blocked = (flow: JudgedFlow): Blocked => {
			const count = everywhere.filter((name) => blocks(flow, name)).length;
			return count === 0 ? "none" : count === everywhere.length ? "all" : "some";
		};
		const refused = new Refused();
		for (const flow of refusedBefore) if (blocked(flow) === "all") refused.add(flow);
		let error = "";
		const untracked = new Map(openSockets().map((socket) => [keyOf(socketTuple(socket)), socket]));
		const opened = Conntrack.open();
		if (!opened.ok) error = opened.error;
		else {
			for (const family of [4, 6] as const) {
				const entries = opened.conntrack.dump(family);
				const tell = (answer: { ok: boolean; error?: string }) => {
					if (!answer.ok) error = answer.error ?? "";
				};
				const tracked = tap(whole(entries, tell), (entry) => {
					untracked.delete(keyOf(entry.original));
					untracked.delete(keyOf(entry.reply));
				});
				const verdicts = judgeFlows(tracked, isLocal, blocked);
				for (const entry of verdicts.ended) this.#toEnd.push(entry);
				for (const flow of verdicts.refused) refused.add(flow);
			}
			opened.conntrack.close();
		}
		// These have no entry to delete, but the next packet of either side would make one.
		const verdicts = judgeFlows([...untracked.values()].map(socketFlow), isLocal, blocked);
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

/** The connection as its own end sees it. */
function socketTuple({ local, localPort, remote, remotePort }: OpenSocket): Tuple {
	return { source: local, sourcePort: localPort, destination: remote, destinationPort: remotePort };
}

function keyOf({ source, sourcePort, destination, destinationPort }: Tuple): string {
	return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** The connection as connection tracking would tell it; who listens on the local port did not make it. */
export function socketFlow(socket: OpenSocket): TrackedFlow {
	const out = socketTuple(socket);
	const back: Tuple = {
		source: out.destination,
		sourcePort: out.destinationPort,
		destination: out.source,
		destinationPort: out.sourcePort,
	};
	const [original, reply] = socket.accepted ? [back, out] : [out, back];
	return { family: socket.family, protocol: tcp, original, reply };
}

function* tap<T>(items: Iterable<T>, see: (item: T) => void): Generator<T> {
	for (const item of items) {
		see(item);
		yield item;
	}
}

/** The entries of a dump, and how it ended to `tell`. */
function* whole<E, A>(entries: Generator<E, A, void>, tell: (answer: A) => void): Generator<E> {
	tell(yield* entries);
}
