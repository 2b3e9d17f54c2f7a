/**
 * Brings every USB device to what was decided about it, one job at a time for each, and any number of devices at once.
 * Nothing is remembered that sysfs does not say: events only tell where to look again.
 */

import { ownEvent } from "../apply/authorize.ts";
import { isPermitted, nextStep, type Step, wasRefused } from "../apply/reconcile.ts";
import type { DeviceDecision } from "../compile/decide.ts";
import type { PresentDevice } from "../observe/devices.ts";
import type { UsbEvent } from "../observe/uevent.ts";
import { awakeTimeout } from "./awake-timer.ts";
import type { Applied } from "./calls.ts";
import type { UsbJob, UsbWorkerPool } from "./worker-pool.ts";

/** Everything that is known of one device; it ends with the device. */
export interface Tracked {
	readonly name: string;
	/** As last read; null before the first time. */
	present: PresentDevice | null;
	decision: DeviceDecision | null;
	/** A job does not come back: what it was to do may or may not have happened. */
	pending: boolean;
	/** Why the last write failed; "" when it did not. */
	error: string;
}

export interface TrackerEvents {
	/** All is as decided, or as far as it went; called after every look at a device. */
	settled(device: Tracked, present: PresentDevice, decision: DeviceDecision): void;
	removed(device: Tracked): void;
	/** A job has not come back in time. */
	pending(device: Tracked): void;
	/** The kernel refused a write. */
	failed(device: Tracked, error: string): void;
	/** Somebody else authorized what was refused, and it is refused again. */
	undone(device: Tracked, present: PresentDevice): void;
	/** Seconds from the uevent to the end of the last write that it led to. */
	written(seconds: number): void;
}

export interface TrackerOptions {
	readonly root: string;
	readonly pools: {
		readonly authorize: Pick<UsbWorkerPool, "run">;
		readonly refuse: Pick<UsbWorkerPool, "run">;
	};
	/** Null while there are no policies to decide by. */
	readonly decide: (present: PresentDevice) => DeviceDecision | null;
	/** Whether anything may be written about a device; `locked`: what appears comes up refused. */
	readonly control: (present: PresentDevice) => { readonly writes: boolean; readonly locked: boolean };
	/** Told of our writes: `refusing` of what one is to take away, which waits for what that returns; `given` after one. */
	readonly owners: {
		refusing(instances: readonly string[]): Promise<void> | null;
		given(instance: string): void;
	};
	readonly events: TrackerEvents;
	/** Milliseconds after which a job counts as pending. */
	readonly deadline?: number;
}

interface Entry extends Tracked {
	/**
	 * What asked for the next look: the number of the newest event, after which a look has to begin, or infinity. Null
	 * where nothing did.
	 */
	asked: number | null;
	gone: boolean;
	running: Promise<void> | null;
	/** When the oldest event arrived that has not been dealt with; milliseconds since the epoch. */
	since: number | null;
	/** Rounds of writes in the current window. */
	rounds: number;
	windowEnd: number;
	probed: boolean;
}

const deadlineMs = 2000;
/** Writes that one look at a device may take; more than that is a fight with somebody else. */
const mostSteps = 6;
/** Looks at one device that lead to writes, in a window, before the next ones are spaced out. */
const mostRounds = 8;
const windowMs = 10_000;
const spacingMs = 1000;

export class UsbTracker {
	readonly #options: TrackerOptions;
	readonly #devices = new Map<string, Entry>();
	#stopped = false;

	constructor(options: TrackerOptions) {
		this.#options = options;
	}

	get #deadline(): number {
		return this.#options.deadline ?? deadlineMs;
	}

	devices(): readonly Tracked[] {
		return [...this.#devices.values()];
	}

	get(name: string): Tracked | undefined {
		return this.#devices.get(name);
	}

	take(event: UsbEvent): void {
		const { action, kind, address, device: name } = event;
		if (event.mark === ownEvent) return;
		// What is bound or added next says more than what went.
		if (kind === "interface" && (action === "remove" || action === "unbind")) return;
		const known = this.#devices.get(name);
		const held = known?.present ?? null;
		const sameAddress = held !== null && held.bus === address?.bus && held.number === address.number;
		if (kind === "device" && action === "remove") {
			if (known === undefined) return;
			// A job that hangs on the device must not keep its port from the next one.
			if (known.running !== null && sameAddress) this.#remove(known);
			else this.#look(known, null);
			return;
		}
		if (known && kind === "device" && action === "add" && held && address && !sameAddress)
			this.#remove(known);
		const entry = this.#devices.get(name) ?? this.#track(name);
		if (!tells(entry.present, event.sequence)) this.#look(entry, event.time, event.sequence || Infinity);
	}

	/** Looks at the devices that are there, and at those that were thought to be. */
	rescan(names: readonly string[]): void {
		for (const name of names) if (!this.#devices.has(name)) this.#track(name);
		for (const entry of this.#devices.values()) this.#look(entry, null);
	}

	lookAt(name: string): void {
		const entry = this.#devices.get(name);
		if (entry) this.#look(entry, null);
	}

	/** Resolves when every device is settled or pending; where somebody keeps them busy, after some deadlines. */
	async quiet(): Promise<void> {
		for (let rounds = 0; rounds < 5; rounds++) {
			const busy = [...this.#devices.values()].filter((entry) => entry.running !== null && !entry.pending);
			if (busy.length === 0 || this.#stopped) return;
			const late = Bun.sleep(this.#deadline);
			await Promise.race([Promise.all(busy.map((entry) => entry.running)), late]);
		}
	}

	/** Whether nothing is left to do about any device: none is looked at, hangs or could not be written. */
	get done(): boolean {
		const entries = [...this.#devices.values()];
		return (
			!this.#stopped &&
			entries.every(({ running, pending, error }) => running === null && !pending && error === "")
		);
	}

	stop(): void {
		this.#stopped = true;
		for (const entry of this.#devices.values()) entry.gone = true;
	}

	#track(name: string): Entry {
		const entry: Entry = {
			name,
			present: null,
			decision: null,
			pending: false,
			error: "",
			asked: null,
			gone: false,
			running: null,
			since: null,
			rounds: 0,
			windowEnd: 0,
			probed: false,
		};
		this.#devices.set(name, entry);
		return entry;
	}

	#remove(entry: Entry): void {
		if (entry.gone) return;
		entry.gone = true;
		if (this.#devices.get(entry.name) === entry) this.#devices.delete(entry.name);
		this.#options.events.removed(entry);
	}

	#look(entry: Entry, time: number | null, sequence = Infinity): void {
		if (this.#stopped) return;
		entry.asked = Math.max(entry.asked ?? 0, sequence);
		if (time !== null) entry.since ??= time;
		entry.running ??= this.#work(entry).finally(() => {
			entry.running = null;
		});
	}

	async #work(entry: Entry): Promise<void> {
		try {
			while (entry.asked !== null && !entry.gone) {
				const { asked } = entry;
				entry.asked = null;
				// What a write of ours caused was over when the device was read after it.
				if (tells(entry.present, asked)) return;
				const { root, pools } = this.#options;
				const present = await this.#guard(
					entry,
					pools.authorize,
					(worker) => worker.call("inspect", { root, name: entry.name }),
					() => entry.since !== null,
				);
				if (entry.gone) return;
				if (present === null) this.#remove(entry);
				else if (entry.present !== null && entry.present.instance !== present.instance) {
					this.#remove(entry);
					this.#look(this.#track(entry.name), entry.since);
				} else await this.#settle(entry, present);
			}
		} catch (error) {
			// The Worker ended, or the daemon stops. The device stays as it is until it is looked at again.
			if (!this.#stopped) this.#fail(entry, error instanceof Error ? error.message : String(error));
		}
	}

	async #settle(entry: Entry, first: PresentDevice): Promise<void> {
		const { events, decide, control } = this.#options;
		let present = first;
		/** Milliseconds from the event to the end of the last write; null without either. */
		let written: number | null = null;
		let left = false;
		for (let steps = 0; steps <= mostSteps; steps++) {
			const before = entry.decision;
			entry.present = present;
			entry.decision = decide(present);
			if (entry.decision === null) return;
			const step = control(present).writes ? this.#step(entry, present, entry.decision) : null;
			if (step === null) break;
			if (steps === mostSteps) {
				this.#fail(entry, "somebody keeps undoing it; it is looked at again");
				left = true;
				break;
			}
			if (steps === 0) await this.#space(entry);
			if (steps === 0 && before !== null && wasRefused(step, before, present)) events.undone(entry, present);
			const applied = await this.#apply(entry, present, entry.decision, step);
			if (entry.since !== null) written = performance.timeOrigin + performance.now() - entry.since;
			if (applied.given) this.#options.owners.given(present.instance);
			if (entry.gone) break;
			if (!applied.result.ok) {
				// Gone or exchanged: the next look will tell.
				if (applied.result.reason !== "failed") entry.asked = Infinity;
				else this.#fail(entry, applied.result.error);
				return;
			}
			entry.error = "";
			if (applied.present === null || applied.present.instance !== present.instance) {
				entry.asked = Infinity;
				left = true;
				break;
			}
			present = applied.present;
		}
		entry.present = present;
		if (entry.decision !== null && !left && !entry.gone) events.settled(entry, present, entry.decision);
		if (written !== null) events.written(Math.max(0, written) / 1000);
		entry.since = null;
	}

	/** A daemon that ended between authorizing an interface and offering it to drivers left it without one. */
	#step(entry: Entry, present: PresentDevice, decision: DeviceDecision): Step | null {
		const step = nextStep(present, decision);
		const unbound = present.interfaces.some(
			(item) => item.authorized && item.driver === null && isPermitted(decision, item),
		);
		const offer = step === null && unbound && !entry.probed && this.#options.control(present).locked;
		entry.probed = true;
		return offer ? { kind: "authorize" } : step;
	}

	async #apply(entry: Entry, present: PresentDevice, decision: DeviceDecision, step: Step): Promise<Applied> {
		const { root, pools, control, owners } = this.#options;
		const { instance } = present;
		const { name } = entry;
		if (step.kind !== "authorize") {
			const interfaces = step.kind === "refuse-interfaces" ? step.names : null;
			const taken = present.interfaces.filter((item) => interfaces?.includes(item.name));
			await owners.refusing(interfaces === null ? [instance] : taken.map((item) => item.instance));
			return this.#guard(entry, pools.refuse, (worker) =>
				worker.call("refuse", { root, name, instance, interfaces }),
			);
		}
		const request = {
			name,
			permitted: decision.interfaces.flatMap(({ permitted, configuration, number }) =>
				permitted ? [`${name}:${configuration}.${number}`] : [],
			),
			lockedBus: control(present).locked ? present.bus : null,
			probeUnbound: present.authorized,
		};
		return this.#guard(entry, pools.authorize, (worker) =>
			worker.call("authorize", { root, instance, request }),
		);
	}

	/** Somebody who keeps changing a device must not keep this process busy. */
	async #space(entry: Entry): Promise<void> {
		const now = performance.now();
		if (now > entry.windowEnd) {
			entry.windowEnd = now + windowMs;
			entry.rounds = 0;
		}
		if (++entry.rounds > mostRounds) await Bun.sleep(spacingMs);
	}

	async #guard<T>(
		entry: Entry,
		pool: Pick<UsbWorkerPool, "run">,
		job: UsbJob<T>,
		urgent?: () => boolean,
	): Promise<T> {
		let cancel: (() => void) | undefined;
		const hurry = () => {
			cancel ??= awakeTimeout(this.#deadline, () => {
				if (entry.gone || this.#stopped) return;
				entry.pending = true;
				this.#options.events.pending(entry);
			});
		};
		// What can wait is late only once it has begun.
		if (urgent?.() ?? true) hurry();
		try {
			return await pool.run((worker) => {
				hurry();
				return job(worker);
			}, urgent);
		} finally {
			cancel?.();
			entry.pending = false;
		}
	}

	#fail(entry: Entry, error: string): void {
		entry.error = error;
		this.#options.events.failed(entry, error);
	}
}

/** Whether a device was read after this event, so that what the event is about was there to be read. */
function tells(present: PresentDevice | null, sequence: number): boolean {
	return present !== null && sequence > 0 && sequence <= present.sequence;
}
