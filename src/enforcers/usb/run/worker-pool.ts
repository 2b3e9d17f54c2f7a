/**
 * Workers for jobs that a USB device can hold up for half a minute. Only what
 * runs for longer than a moment counts as held up, and each such job is made
 * up for by another Worker, so that devices that hang do not delay the rest.
 */

import { WorkerClient, type WorkerLike } from "../../../threads/rpc.ts";
import type { UsbCalls } from "./calls.ts";

export type UsbCaller = Pick<WorkerClient<UsbCalls>, "call">;
export type UsbJob<T> = (worker: UsbCaller) => Promise<T>;

export interface UsbPoolOptions {
	readonly name: string;
	readonly createWorker: () => WorkerLike;
	/** Workers that are free or busy with jobs that do not hang. */
	readonly spare: number;
	/** Workers in all. Where even these all hang, further jobs wait. */
	readonly most: number;
	/** Milliseconds after which a job counts as held up. */
	readonly patience: number;
	/** Milliseconds without a job after which free Workers are ended: starting one takes some 20 ms. */
	readonly rest: number;
	/** Free Workers that are left when the others are ended, so that what comes next does not wait for a start. */
	readonly keep: () => number;
}

/** Jobs that are not alike in their risk go to pools of their own. */
export const poolDefaults = { spare: 3, most: 64, patience: 40, rest: 3000, keep: () => 0 } as const;

interface Member {
	readonly client: WorkerClient<UsbCalls>;
	/** Resolves when the Worker has started; until then nothing hangs, however slow the machine. */
	readonly ready: Promise<unknown>;
	busy: boolean;
	/** What it is busy with can wait. */
	scan: boolean;
	stuck: boolean;
}

interface Waiting {
	readonly urgent: () => boolean;
	run(member: Member): void;
	reject(error: Error): void;
}

export class UsbWorkerPool {
	readonly #options: UsbPoolOptions;
	readonly #members = new Set<Member>();
	readonly #waiting: Waiting[] = [];
	#stopped = false;
	#resting: ReturnType<typeof setTimeout> | null = null;

	constructor(options: UsbPoolOptions) {
		this.#options = options;
	}

	/**
	 * Runs a job on a Worker of its own. What is not `urgent`, asked anew while the job waits, goes after all that
	 * is, and one at a time. Rejects when the Worker ends, which is a bug, or when the pool is stopped.
	 */
	run<T>(job: UsbJob<T>, urgent: () => boolean = () => true): Promise<T> {
		if (this.#stopped) return Promise.reject(new Error("stopped"));
		return new Promise((resolve, reject) => {
			this.#waiting.push({
				urgent,
				reject,
				run: (member) => void this.#perform(member, job).then(resolve, reject),
			});
			this.#dispatch();
		});
	}

	/** Jobs under way and waiting. */
	get load(): { readonly stuck: number; readonly waiting: number; readonly workers: number } {
		const stuck = [...this.#members].filter((member) => member.stuck).length;
		return { stuck, waiting: this.#waiting.length, workers: this.#members.size };
	}

	/** Leaves jobs that are held up to the end of the process. */
	stop(): void {
		this.#stopped = true;
		if (this.#resting !== null) clearTimeout(this.#resting);
		for (const { reject } of this.#waiting.splice(0)) reject(new Error("stopped"));
		for (const member of this.#members) member.client.stop();
		this.#members.clear();
	}

	async #perform<T>(member: Member, job: UsbJob<T>): Promise<T> {
		let timer: ReturnType<typeof setTimeout> | undefined;
		try {
			await member.ready;
			timer = setTimeout(() => {
				member.stuck = true;
				this.#dispatch();
			}, this.#options.patience);
			return await job(member.client);
		} finally {
			clearTimeout(timer);
			member.busy = false;
			member.stuck = false;
			this.#trim();
			this.#dispatch();
			this.#rest();
		}
	}

	/** Ends what is free once nothing has been asked for a while. */
	#rest(): void {
		if (this.#resting !== null) clearTimeout(this.#resting);
		this.#resting = null;
		if (this.#stopped) return;
		this.#resting = setTimeout(() => {
			const free = [...this.#members].filter((member) => !member.busy);
			for (const member of free.slice(this.#options.keep())) this.#end(member);
		}, this.#options.rest);
		this.#resting.unref();
	}

	#end(member: Member): void {
		this.#members.delete(member);
		member.client.stop();
	}

	#dispatch(): void {
		for (;;) {
			const index = this.#next();
			if (index < 0) return;
			const member = [...this.#members].find((candidate) => !candidate.busy) ?? this.#grow();
			if (member === null) return;
			const [job] = this.#waiting.splice(index, 1);
			if (job === undefined) return;
			member.busy = true;
			member.scan = !job.urgent();
			job.run(member);
		}
	}

	/** The place of the job to begin with, or -1. */
	#next(): number {
		const urgent = this.#waiting.findIndex((job) => job.urgent());
		if (urgent >= 0 || this.#waiting.length === 0) return urgent;
		return [...this.#members].some(({ busy, stuck, scan }) => busy && !stuck && scan) ? -1 : 0;
	}

	/** A new Worker if there may be one more. Where one job hangs, others of the same burst may too. */
	#grow(): Member | null {
		const { stuck } = this.load;
		const wanted = this.#options.spare + (stuck === 0 ? 0 : stuck + Math.min(this.#waiting.length, 8));
		if (this.#stopped || this.#members.size >= Math.min(wanted, this.#options.most)) return null;
		const client = new WorkerClient<UsbCalls>(this.#options.name, this.#options.createWorker(), () => {
			this.#members.delete(member);
			this.#dispatch();
		});
		const ready = client.call("ready", {});
		// Who waits for it is told; where nobody does, the pool has been stopped.
		ready.catch(() => {});
		const member: Member = { client, ready, busy: false, scan: false, stuck: false };
		this.#members.add(member);
		return member;
	}

	/** Ends free Workers beyond those to spare. */
	#trim(): void {
		for (const member of this.#members) {
			if (this.#members.size <= this.#options.spare + this.load.stuck) return;
			if (member.busy || this.#waiting.length > 0) continue;
			this.#end(member);
		}
	}
}
