/** The flows whose tuples the kernel is to refuse: those that can go on first, as its sets have a bound. Pure. */

import type { Family } from "../../../base/model.ts";
import { refusedSetSize } from "../apply/refused-flows.ts";
import type { JudgedFlow } from "./open-connections.ts";

/**
 * What speaks for refusing a flow, the most first: a socket that has its peer; that it was refused before; that it
 * lasted; that both ends spoke. What nobody answered cannot go on, and anybody can make any number of it.
 */
const ranks = ["socket", "earlier", "assured", "answered"] as const;
export type Rank = (typeof ranks)[number] | "unanswered";

export class RefusedFlows {
	readonly #seen = new Map<string, JudgedFlow>();
	readonly #byRank = new Map<Rank, string[]>();

	/** A flow that was added before stays as it was. */
	add(flow: JudgedFlow, rank: Rank): void {
		if (rank === "unanswered") return;
		const { family, remote, protocol, remotePort, localPort, forwarded } = flow.cut;
		const key = `${family} ${remote} ${protocol} ${remotePort} ${localPort} ${forwarded ?? false}`;
		if (this.#seen.has(key)) return;
		this.#seen.set(key, flow);
		const keys = this.#byRank.get(rank);
		if (keys === undefined) this.#byRank.set(rank, [key]);
		else keys.push(key);
	}

	/** Those for which there is room, and how many there are for which there is none. */
	fitting(): { readonly flows: JudgedFlow[]; readonly overflow: number } {
		const empty = { everywhere: refusedSetSize, interface: refusedSetSize, forwarded: refusedSetSize };
		const room: Readonly<Record<Family, Record<keyof typeof empty, number>>> = {
			4: { ...empty },
			6: { ...empty },
		};
		const flows: JudgedFlow[] = [];
		for (const key of ranks.flatMap((rank) => this.#byRank.get(rank) ?? [])) {
			const flow = this.#seen.get(key);
			if (flow === undefined) continue;
			const { family, interfaces, forwarded } = flow.cut;
			const set = forwarded ? "forwarded" : interfaces === undefined ? "everywhere" : "interface";
			const elements = forwarded ? 1 : (interfaces?.length ?? 1);
			if (room[family][set] < elements) continue;
			room[family][set] -= elements;
			flows.push(flow);
		}
		return { flows, overflow: this.#seen.size - flows.length };
	}
}
