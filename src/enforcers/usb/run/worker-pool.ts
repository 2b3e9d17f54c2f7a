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
	/** Milliseconds after which a job counts as held up, where a Worker does not take longer to start. */
	readonly patience: number;
	/** Milliseconds without a job after which free Workers are ended: starting one takes some 20 ms. */
	readonly rest: number;
	/** Free Workers that are left when the others are ended, so that what comes next does not wait for a start. */
	readonly keep: () => number;
}

/** Jobs that are not alike in their risk go to pools of their own. */
export const poolDefaults = { spare: 3, most: 64, patience: 40, rest: 3000, keep: () => 0 } as const;

/** Even where Workers take long to start. */
const mostPatience = 1000;

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
	/** Whether a job has ended since it was last looked at how many Workers are left. */
	#used = false;
	/**
	 * Milliseconds after which a job counts as held up. On a slow or busy machine every job takes long, and so does starting
	 * a Worker, which would make all the others slower still: no device has a say in that.
	 */
	#patience: number;

	constructor(options: UsbPoolOptions) {
		this.#options = options;
		this.#patience = options.patience;
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

	/** Milliseconds after which a job counts as held up now. */
	get patience(): number {
		return this.#patience;
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
			}, this.#patience);
			return await job(member.client);
		} finally {
			clearTimeout(timer);
			member.busy = false;
			member.stuck = false;
			this.#dispatch();
			this.#rest();
		}
	}

	/**
	 * Ends what is free now and then, not with each job: a burst would start it again at once. Beyond those to spare where
	 * there were jobs, and all but those to keep where there were none.
	 */
	#rest(): void {
		this.#used = true;
		if (this.#stopped) return;
		this.#resting ??= setTimeout(() => {
			this.#resting = null;
			const { keep, spare } = this.#options;
			const free = [...this.#members].filter((member) => !member.busy);
			const surplus = Math.max(0, this.#members.size - spare - this.load.stuck);
			for (const member of this.#used ? free.slice(0, surplus) : free.slice(keep())) this.#end(member);
			if (this.#used) this.#rest();
			this.#used = false;
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
		const began = performance.now();
		const client = new WorkerClient<UsbCalls>(this.#options.name, this.#options.createWorker(), () => {
			this.#members.delete(member);
			this.#dispatch();
		});
		const ready = client.call("ready", {}).then(() => {
			const took = Math.min(2 * (performance.now() - began), mostPatience);
			this.#patience = Math.max(this.#options.patience, took);
		});
		// Who waits for it is told; where nobody does, the pool has been stopped.
		ready.catch(() => {});
		const member: Member = { client, ready, busy: false, scan: false, stuck: false };
		this.#members.add(member);
		return member;
	}
}
