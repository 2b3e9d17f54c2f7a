/** All sinks of the daemon, made and closed as the settings say. None waits for another. */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { diskBytes, type SinkSettings } from "../config/sinks.ts";
import { readAlert } from "../report/formats/format.ts";
import type { SinkState } from "../report/sink-status.ts";
import { makeTransport } from "./make-transport.ts";
import type { Configuration, RemovedQueue } from "./protocol.ts";
import { AlertQueue } from "./queue/alert-queue.ts";
import { SegmentStore } from "./queue/segments.ts";
import { noCounts, type ReadAlert, Sink } from "./sink.ts";
import { reasonOf } from "./transport.ts";

interface Kept {
	readonly sink: Sink;
	readonly queue: AlertQueue;
}

export class SinkBoard {
	readonly #changed: () => void;
	readonly #sinks = new Map<string, Kept>();
	#removed: RemovedQueue[] = [];

	/** `changed` is called when `states` or `takeRemoved` would say something else. */
	constructor(changed: () => void) {
		this.#changed = changed;
	}

	get states(): readonly SinkState[] {
		return [...this.#sinks.values()].map(({ sink }) => sink.state);
	}

	/** Queues that were removed since the last call. */
	takeRemoved(): readonly RemovedQueue[] {
		const removed = this.#removed;
		this.#removed = [];
		return removed;
	}

	/** Makes the sinks those that are wanted. One whose settings are the same goes on as if nothing had been asked. */
	async configure({ sinks, stateDirectory, version }: Configuration): Promise<void> {
		const wanted = new Map(sinks.map((sink) => [sink.name, sink]));
		const directory = join(stateDirectory, "sinks");
		const former = new Map<string, { readonly lines: readonly string[]; readonly sink: Sink }>();
		for (const [name, { sink, queue }] of this.#sinks) {
			const settings = wanted.get(name);
			if (settings !== undefined && Bun.deepEquals(settings, sink.settings)) continue;
			this.#sinks.delete(name);
			await sink.close();
			const lines = queue.handOver();
			queue.close();
			if (settings !== undefined) former.set(name, { lines, sink });
			else if (lines.length > 0) this.#removed.push({ name, alerts: lines.length });
		}
		this.#removeQueues(
			directory,
			new Set(sinks.filter((sink) => diskBytes(sink) > 0).map(({ name }) => name)),
		);
		for (const settings of sinks) {
			const { name } = settings;
			if (this.#sinks.has(name)) continue;
			const before = former.get(name);
			const queue = openQueue(settings, join(directory, name));
			const counts = before?.sink.counts ?? noCounts();
			counts.dropped.full += queue.push(before?.lines ?? []);
			const transport = makeTransport(settings);
			const sink = new Sink({ settings, transport, queue, version, counts, changed: this.#changed });
			this.#sinks.set(name, { sink, queue });
		}
		this.#changed();
	}

	/** Gives every sink what it wants of `lines`. */
	offer(lines: readonly string[]): void {
		const alerts = lines.flatMap((json): ReadAlert[] => {
			const alert = readAlert(json);
			return alert === null ? [] : [{ alert, json }];
		});
		for (const { sink } of this.#sinks.values()) sink.offer(alerts);
	}

	/** Gives receivers so long to take what waits, then closes. What is on disk stays there. */
	async stop(milliseconds: number): Promise<void> {
		const all = [...this.#sinks.values()];
		this.#sinks.clear();
		await Promise.all(all.map(({ sink }) => sink.drain(milliseconds)));
		await Promise.all(all.map(({ sink }) => sink.close()));
		for (const { queue } of all) queue.close();
	}

	/** What waits for a sink that nobody knows would stay for ever. */
	#removeQueues(directory: string, names: ReadonlySet<string>): void {
		for (const name of entriesOf(directory)) {
			if (names.has(name)) continue;
			const path = join(directory, name);
			let alerts = 0;
			try {
				const store = new SegmentStore(path, 0);
				alerts = store.length;
				store.close();
			} catch {
				// Whatever it is, it is no queue that could be read.
			}
			try {
				rmSync(path, { recursive: true, force: true });
			} catch {
				// What cannot be removed now is tried with the next change of the settings.
				continue;
			}
			if (alerts > 0) this.#removed.push({ name, alerts });
		}
	}
}

function entriesOf(directory: string): readonly string[] {
	try {
		return readdirSync(directory);
	} catch {
		return [];
	}
}

function openQueue(settings: SinkSettings, directory: string): AlertQueue {
	const { memory } = settings.queue;
	const disk = diskBytes(settings);
	if (disk === 0) return new AlertQueue(memory, null);
	try {
		return new AlertQueue(memory, new SegmentStore(directory, disk));
	} catch (error) {
		return new AlertQueue(memory, null, reasonOf(error));
	}
}
