/** Flows as they are seen. The daemon is asked again and again, as it reads the kernel now and then itself. */

import { formatCidr } from "../../base/cidr.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { SeenFlow } from "../../enforcers/network/history/seen-flow.ts";
import { exit, type Io } from "../command.ts";
import type { HistoryRead } from "./read-history.ts";

/** Milliseconds between two questions. */
const everyMs = 2000;

/**
 * Milliseconds that are asked about once more: the daemon may judge, and tell, a flow some time after one that was seen
 * later. What was told already is told no second time.
 */
const againMs = 60_000;

/** Flows of which is remembered how often they were seen; when there are more, the longest unseen are forgotten. */
const mostRemembered = 200_000;

/** What was told already. */
export class ToldFlows {
	readonly #counts = new Map<string, number>();

	/** What is new of a flow since it was told last. */
	take(flow: SeenFlow): number {
		const { direction, hook, protocol, remote, port, guest, action, policy, count } = flow;
		const key = [
			direction,
			hook,
			protocol,
			formatCidr(remote),
			port,
			flow.interface,
			guest?.value,
			action,
			policy,
		].join("|");
		const before = this.#counts.get(key) ?? 0;
		this.#counts.delete(key);
		this.#counts.set(key, count);
		for (const oldest of this.#counts.keys()) {
			if (this.#counts.size <= mostRemembered) break;
			this.#counts.delete(oldest);
		}
		// A count that fell began anew.
		return count < before ? count : count - before;
	}
}

export interface Following {
	/** The flows that were last seen at or after a time; null: all. */
	ask(since: number | null): Promise<HistoryRead>;
	/** Whether somebody wants to see it. */
	wanted(flow: SeenFlow): boolean;
	/** @param more new flows since it was told last */
	tell(flow: SeenFlow, more: number): void;
}

/** Ends when the operator has enough, or the daemon ends. @param pauseMs between two questions */
export async function followFlows(
	following: Following,
	io: Io,
	pauseMs = everyMs,
	clock: () => number = Date.now,
): Promise<number> {
	const told = new ToldFlows();
	let latest: number | null = null;
	for (let first = true; !io.signal.aborted; first = false) {
		// Where the clock was set back, what comes now is older than the latest.
		const since = latest === null ? null : Math.max(0, Math.min(latest, clock()) - againMs);
		const read = await following.ask(since);
		if (io.signal.aborted) break;
		if (!read.ok || read.from === "disk") {
			const message = read.ok
				? "the daemon is not running; without --follow its kept flows are shown"
				: read.message;
			io.error(`portward: ${escapeForTerminal(message)}\n`);
			return exit.failure;
		}
		const flows = read.history.flows.toSorted((a, b) => a.lastSeen - b.lastSeen);
		for (const flow of flows) {
			const more = told.take(flow);
			if (!first && more > 0 && following.wanted(flow)) following.tell(flow, more);
			latest = Math.max(latest ?? 0, flow.lastSeen);
		}
		await pause(pauseMs, io.signal);
	}
	return exit.ok;
}

/** Ends early when the operator has enough. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	if (signal.aborted) return;
	const { promise, resolve } = Promise.withResolvers<void>();
	const timer = setTimeout(resolve, ms);
	signal.addEventListener("abort", () => resolve(), { once: true });
	await promise;
	clearTimeout(timer);
}
