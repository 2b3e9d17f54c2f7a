/** Whether the egress policies in force let this host's own alerts reach their sinks: told once, and shown. */

import { isAddress, receiverOf } from "../../config/receivers.ts";
import type { SinkSettings } from "../../config/sinks.ts";
import {
	type Receiver,
	type RefusedReceiver,
	refusedText,
} from "../../enforcers/network/compile/verdict/refused-receivers.ts";
import { routedReceivers } from "../../enforcers/network/observe/receivers.ts";
import type { JudgeCalls } from "../../enforcers/network/run/calls.ts";
import { ownSender } from "../../kernel/senders/own-sender.ts";
import type { Logger } from "../../report/log.ts";
import type { SinkState } from "../../report/sink-status.ts";
import type { WorkerClient } from "../../threads/rpc.ts";

/** Who is asked about what was read last. */
export interface ReceiverJudge {
	readonly worker: Pick<WorkerClient<JudgeCalls>, "call">;
	/** Reads the policies once more where that thread has rested. */
	recall(): Promise<void>;
}

export interface ReceiverMonitorOptions {
	readonly judge: ReceiverJudge;
	readonly settings: () => readonly SinkSettings[];
	readonly states: () => readonly Pick<SinkState, "name" | "addresses">[];
	readonly log: Logger;
}

export class ReceiverMonitor {
	readonly #options: ReceiverMonitorOptions;
	#blocked: ReadonlyMap<string, string> = new Map();
	/** What was asked about last; "" where it has to be asked again. */
	#asked = "";
	/** One question after the other. */
	#last: Promise<void> = Promise.resolve();

	constructor(options: ReceiverMonitorOptions) {
		this.#options = options;
	}

	/** What blocks a sink's receiver, by the sink's name. */
	get blocked(): ReadonlyMap<string, string> {
		return this.#blocked;
	}

	/** Other policies were read. Never rejects. */
	policiesRead(): Promise<void> {
		this.#asked = "";
		return this.look();
	}

	/** Sinks may be others, or what their names and the routes lead to. Never rejects. */
	look(): Promise<void> {
		// Where nobody can be asked the next change asks again.
		this.#last = this.#last
			.then(() => this.#look())
			.catch(() => {
				this.#asked = "";
			});
		return this.#last;
	}

	async #look(): Promise<void> {
		const receivers = routedReceivers(this.#receivers());
		const about = JSON.stringify(receivers);
		if (about === this.#asked) return;
		this.#asked = about;
		if (receivers.length === 0) {
			this.#tell(new Map());
			return;
		}
		const { judge } = this.#options;
		const ask = () => judge.worker.call("judgeReceivers", { receivers, sender: ownSender() });
		let refused = await ask();
		if (refused === null) {
			await judge.recall();
			refused = await ask();
		}
		// Nobody knows whether what was blocked is so still.
		if (refused === null) this.#asked = "";
		else this.#tell(cutOff(receivers, refused));
	}

	#receivers(): readonly Receiver[] {
		const states = new Map(this.#options.states().map((state) => [state.name, state]));
		return this.#options.settings().flatMap((settings) => {
			const receiver = receiverOf(settings);
			if (receiver === null) return [];
			const { protocol, host, port } = receiver;
			const { name } = settings;
			const addresses = isAddress(host) ? [host] : (states.get(name)?.addresses ?? []).toSorted();
			return addresses.map((address) => ({ name, protocol, address, port }));
		});
	}

	#tell(blocked: ReadonlyMap<string, string>): void {
		const before = this.#blocked;
		this.#blocked = blocked;
		const { log } = this.#options;
		for (const [sink, reason] of blocked)
			if (before.get(sink) !== reason) log.warn("egress policies block a sink", { sink, reason });
		for (const sink of before.keys())
			if (!blocked.has(sink)) log.info("egress policies block a sink no longer", { sink });
	}
}

/** Sinks none of whose addresses is let through, with what blocks the first: a sender tries one after the other. */
function cutOff(asked: readonly Receiver[], refused: readonly RefusedReceiver[]): Map<string, string> {
	const all = Map.groupBy(asked, ({ name }) => name);
	const found = new Map<string, string>();
	for (const [name, blocked] of Map.groupBy(refused, (one) => one.name)) {
		const [first] = blocked;
		if (first !== undefined && blocked.length === all.get(name)?.length) found.set(name, refusedText(first));
	}
	return found;
}
