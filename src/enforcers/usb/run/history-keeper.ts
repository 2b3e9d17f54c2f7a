/** Keeps the devices that came: adds them up while the daemon runs, and saves them, at most once a minute. */

import { join } from "node:path";
import { readState, writeState } from "../../../state/state-file.ts";
import type { DeviceDecision } from "../compile/decide.ts";
import { DeviceHistory } from "../history/device-history.ts";
import { type KeptHistory, parseKeptHistory } from "../history/kept-history.ts";
import { type SeenDevices, seenVerdict } from "../history/seen-device.ts";
import type { PresentDevice } from "../observe/devices.ts";

const historyFile = "usb-history.json";

/** Milliseconds between two saves: what a crash loses at most. */
const saveMs = 60_000;
/** Between what is new and its being saved, where the last save is long ago: devices come in crowds. */
const soonMs = 1000;

export interface HistoryKeeperOptions {
	readonly stateDirectory: string;
	/** Names this run of the kernel. */
	readonly boot: string;
	/** Told when saving begins to fail, and of what was there and cannot be read. */
	readonly warn: (message: string, reason: string) => void;
	readonly saveMs?: number;
	readonly soonMs?: number;
}

export class UsbHistoryKeeper {
	readonly #options: HistoryKeeperOptions;
	readonly #history: DeviceHistory;
	#timer: ReturnType<typeof setTimeout> | null = null;
	/** When it was saved last, on a clock that only goes forward. */
	#saved = Number.NEGATIVE_INFINITY;
	#fails = false;

	constructor(options: HistoryKeeperOptions) {
		this.#options = options;
		const kept = readKept(options.stateDirectory);
		if (!kept.ok && !kept.absent)
			options.warn("the USB devices that were seen are lost; watching begins anew", kept.message);
		else if (kept.ok && kept.problem !== null)
			options.warn("the newest of the USB devices that were seen are lost", kept.problem);
		this.#history = new DeviceHistory(options.boot, Date.now(), kept.ok ? kept.kept : null);
	}

	/** A device is as decided, or as far as it went. */
	settled(present: PresentDevice, decision: DeviceDecision): void {
		const { instance, device } = present;
		if (this.#history.settled(instance, device, seenVerdict(decision), Date.now())) this.#saveSoon();
	}

	left({ instance }: PresentDevice): void {
		if (this.#history.left(instance, Date.now())) this.#saveSoon();
	}

	seen(): SeenDevices {
		return this.#history.seen(Date.now());
	}

	/** Saves what is not saved yet. */
	stop(): void {
		if (this.#timer === null) return;
		clearTimeout(this.#timer);
		this.#save();
	}

	#saveSoon(): void {
		if (this.#timer !== null) return;
		const { saveMs: between = saveMs, soonMs: soon = soonMs } = this.#options;
		this.#timer = setTimeout(() => this.#save(), Math.max(soon, this.#saved + between - performance.now()));
		this.#timer.unref();
	}

	#save(): void {
		this.#timer = null;
		this.#saved = performance.now();
		const { stateDirectory, warn } = this.#options;
		const problem = writeState(join(stateDirectory, historyFile), this.#history.kept(Date.now()));
		if (problem !== null && !this.#fails) warn("the USB devices that were seen could not be saved", problem);
		this.#fails = problem !== null;
		// A full disk may have room again in a minute.
		if (this.#fails) this.#saveSoon();
	}
}

type KeptRead =
	| { readonly ok: true; readonly kept: KeptHistory; readonly problem: string | null }
	| { readonly ok: false; readonly absent: boolean; readonly message: string };

function readKept(stateDirectory: string): KeptRead {
	const path = join(stateDirectory, historyFile);
	const state = readState(path);
	if (!state.ok) return { ok: false, absent: state.reason === "absent", message: state.message };
	const kept = parseKeptHistory(state.value);
	if (kept === null) return { ok: false, absent: false, message: `${path} is not what portward wrote` };
	return { ok: true, kept, problem: state.problem };
}

export type SeenDevicesRead =
	| {
			readonly ok: true;
			readonly seen: SeenDevices;
			/** Why it is not the newest version; "" where it is. */
			readonly problem: string;
	  }
	/** `absent`: there is no such file. `message`: a sentence for the operator, not escaped. */
	| { readonly ok: false; readonly absent: boolean; readonly message: string };

/** What a daemon kept of the devices that it saw, a minute ago at most where it runs. Nothing is said to be there now. */
export function readSeenDevices(stateDirectory: string, now = Date.now()): SeenDevicesRead {
	const read = readKept(stateDirectory);
	if (read.ok)
		return { ok: true, seen: new DeviceHistory("", now, read.kept).seen(now), problem: read.problem ?? "" };
	const absent = "No USB devices were kept: the daemon has not run yet, or saw none.";
	return { ok: false, absent: read.absent, message: read.absent ? absent : read.message };
}
