/** Keeps the machine's USB ports what the device policies say. */

import { type DeviceDecision, decideDevice, isBootKeyboard } from "../compile/usb-decide.ts";
import type { SelectedEntry } from "../compile/usb-match.ts";
import { DeviceRuleset } from "../compile/usb-ruleset.ts";
import type { Config } from "../config/model.ts";
import type { Backend } from "../observe/uevent-source.ts";
import type { PresentDevice } from "../observe/usb-devices.ts";
import type { UsbEvents } from "../observe/usb-observer.ts";
import type { UsbEnforcerState } from "../report/status.ts";
import { postureInForce } from "./enforcement-notice.ts";
import type { UsbLane } from "./usb-lane.ts";
import type { UsbMemory } from "./usb-memory.ts";
import { permitted, UsbPermissions } from "./usb-permissions.ts";
import { chooseSource } from "./usb-source.ts";
import { type Tracked, type TrackerEvents, UsbTracker } from "./usb-tracker.ts";

export interface UsbEnforcerEvents extends TrackerEvents {
	/** The kernel's defaults were opened by somebody else, and are closed again. */
	reopened(buses: readonly string[]): void;
	overflow(): void;
	rescan(): void;
	warn(message: string): void;
	/** A temporary permission began (milliseconds since the epoch) or ended (null). */
	allowed(port: string, until: number | null): void;
}

export interface UsbEnforcerOptions {
	readonly config: () => Config;
	/** /sys, or a stand-in for it. */
	readonly root: string;
	/** The preferred first. */
	readonly sources: readonly UsbEvents[];
	readonly lanes: {
		readonly authorize: Pick<UsbLane, "run" | "stop">;
		readonly refuse: Pick<UsbLane, "run" | "stop">;
	};
	readonly memory: UsbMemory;
	readonly events: UsbEnforcerEvents;
	readonly deadline?: number;
	/** Milliseconds between two looks at everything, for what sends no event. */
	readonly verifyEvery?: number;
}

const verifyMs = 30_000;

export class UsbEnforcer {
	readonly #options: UsbEnforcerOptions;
	readonly #tracker: UsbTracker;
	readonly #permissions = new UsbPermissions();
	#source: UsbEvents | null = null;
	#backend: Backend | null = null;
	#down = "starting";
	#reason = "starting";
	#ruleset: DeviceRuleset | null = null;
	#locked = false;
	/** What an earlier policy refused stays refused, and so does what comes. */
	#holds = false;
	#verify: ReturnType<typeof setInterval> | null = null;
	#queue: Promise<void> = Promise.resolve();
	#queued = false;
	#stopped = false;

	constructor(options: UsbEnforcerOptions) {
		this.#options = options;
		const { root, lanes, deadline, events } = options;
		this.#tracker = new UsbTracker({
			root,
			lanes,
			...(deadline === undefined ? {} : { deadline }),
			decide: (present) => this.#decide(present),
			control: () => ({ writes: options.memory.value.prior !== null && !this.#holds, locked: this.#locked }),
			events: {
				pending: (device) => events.pending(device),
				failed: (device, error) => events.failed(device, error),
				undone: (device, present) => events.undone(device, present),
				written: (seconds) => events.written(seconds),
				removed: (device) => {
					this.#permissions.revoke(device.name);
					events.removed(device);
				},
				settled: (device, present, decision) => {
					if (present.device.level === 0) void this.#lockNew(present.device.port);
					events.settled(device, present, decision);
				},
			},
		});
	}

	get enabled(): boolean {
		const { enableKubeArmorHostPolicy, enableUSBDeviceHandler } = this.#options.config();
		return enableKubeArmorHostPolicy && enableUSBDeviceHandler;
	}

	get state(): UsbEnforcerState {
		const config = this.#options.config();
		const posture = postureInForce(config.hostDefaultDevicePosture, config);
		const common = {
			backend: this.#backend,
			locked: this.#locked,
			posture,
			allowlistMode: this.#ruleset?.allowlistMode ?? false,
		};
		if (!this.enabled) {
			const left =
				this.#options.memory.value.prior === null
					? ""
					: "; what is refused stays refused until portward release usb";
			return {
				...common,
				state: "disabled",
				reason: `enableUSBDeviceHandler or enableKubeArmorHostPolicy is false${left}`,
			};
		}
		return { ...common, state: this.#reason === "" ? "active" : "unavailable", reason: this.#reason };
	}

	devices(): readonly Tracked[] {
		return this.#tracker.devices();
	}

	/** Milliseconds since the epoch until when a device is allowed whatever the policies say; null when it is not. */
	allowedUntil(device: Tracked): number | null {
		return device.present && this.#permissions.until(device.name, device.present.instance);
	}

	/** Listens for events. Nothing is enforced before `enforce`. */
	async start(): Promise<void> {
		if (!this.enabled || this.#stopped) return;
		await this.#listen();
		this.#verify = setInterval(() => void this.#look(), this.#options.verifyEvery ?? verifyMs);
		this.#verify.unref();
	}

	/** What sends no event is found by looking now and then; where events did not arrive, they may by now. */
	async #look(): Promise<void> {
		if (this.#source === null) await this.#listen();
		await this.#again();
	}

	async #listen(): Promise<void> {
		const { sources, lanes, root, events } = this.#options;
		const chosen = await chooseSource(
			sources,
			{
				event: (event) => {
					this.#tracker.take(event);
					// usbcore was loaded only now.
					if (this.#reason !== "" && this.#down === "" && event.action === "add") void this.#again();
				},
				lost: () => {
					events.overflow();
					void this.#again();
				},
				changed: (state) => {
					this.#down = state.state === "down" ? `no USB events: ${state.reason}` : "";
					if (this.#down === "") void this.#again();
					else this.#reason = this.#down;
				},
			},
			() => lanes.authorize.run((worker) => worker.call("testEvent", { root })),
		);
		if (!chosen.ok) {
			this.#down = `no USB events: ${chosen.reason}`;
			this.#reason = this.#down;
			return;
		}
		if (chosen.fallback !== "") events.warn(`USB events come from ${chosen.backend}: ${chosen.fallback}`);
		this.#source = chosen.source;
		this.#backend = chosen.backend;
		this.#down = "";
	}

	/**
	 * Puts policies in force. Resolves when every device is as decided, or hangs. Where the set is not complete,
	 * as what is on disk is broken and nothing stands in for it, the absence of entries opens nothing.
	 */
	async enforce(entries: readonly SelectedEntry[], complete = true): Promise<void> {
		const { hostDefaultDevicePosture, enforcement } = this.#options.config();
		this.#ruleset = new DeviceRuleset(entries, hostDefaultDevicePosture, enforcement);
		this.#holds = !complete && entries.length === 0;
		await this.#again();
	}

	/** Allows the device that is on a port now, whatever the policies say, for a time in milliseconds. */
	allow(
		port: string,
		milliseconds: number,
	): { readonly ok: true; readonly until: number } | { readonly ok: false; readonly message: string } {
		const device = this.#tracker.get(port);
		if (!device?.present) return { ok: false, message: `there is no device on port ${port}` };
		const until = this.#permissions.grant(port, device.present.instance, milliseconds, () => {
			this.#options.events.allowed(port, null);
			this.#tracker.lookAt(port);
		});
		this.#options.events.allowed(port, until);
		this.#tracker.lookAt(port);
		return { ok: true, until };
	}

	/** Leaves everything in the kernel as it is. */
	async stop(): Promise<void> {
		this.#stopped = true;
		if (this.#verify) clearInterval(this.#verify);
		this.#permissions.clear();
		this.#tracker.stop();
		await this.#source?.stop();
		this.#options.lanes.authorize.stop();
		this.#options.lanes.refuse.stop();
	}

	/** Makes the machine follow the ruleset; calls that wait for one under way become one. */
	#again(): Promise<void> {
		if (!this.#queued) {
			this.#queued = true;
			this.#queue = this.#queue.then(async () => {
				this.#queued = false;
				if (this.#stopped || !this.enabled) return;
				try {
					await this.#apply();
				} catch (error) {
					if (!this.#stopped) this.#reason = error instanceof Error ? error.message : String(error);
				}
			});
		}
		return this.#queue;
	}

	async #apply(): Promise<void> {
		const ruleset = this.#ruleset;
		const { events, memory, lanes, root } = this.#options;
		if (this.#down !== "" || ruleset === null) return;
		const listed = await lanes.authorize.run((worker) => worker.call("list", { root }));
		if (listed === null) {
			this.#reason = "the kernel shows no USB (/sys/bus/usb is not there)";
			return;
		}
		// Before the lock: what comes between this and the lock counts as new.
		if (memory.value.present === null) {
			this.#remember({ present: listed.map(({ instance }) => instance) });
		}
		if (ruleset.needsLock) {
			const refused = await this.#lock();
			if (refused !== "") {
				this.#reason = refused;
				return;
			}
		} else if (this.#holds) this.#locked = memory.value.prior !== null;
		else await this.#unlock();
		this.#reason = "";
		events.rescan();
		this.#tracker.rescan(listed.map(({ name }) => name));
		await this.#tracker.quiet();
		const done = this.#tracker.devices().every((device) => !device.pending);
		// Only now nothing is left that an earlier policy refused.
		if (!this.#locked && !this.#holds && done && memory.value.prior !== null) this.#remember({ prior: null });
	}

	/** "" or why the machine is not locked. */
	async #lock(): Promise<string> {
		const { lanes, root, memory, events } = this.#options;
		const known = memory.value.prior;
		const prior = await lanes.authorize.run((worker) => worker.call("readDefaults", { root, known }));
		this.#remember({ prior });
		const { closed, errors } = await lanes.authorize.run((worker) => worker.call("lock", { root }));
		if (errors.length > 0) return `USB cannot be locked: ${errors.slice(0, 3).join("; ")}`;
		if (this.#locked && closed.length > 0) events.reopened(closed);
		this.#locked = true;
		return "";
	}

	async #unlock(): Promise<void> {
		const { lanes, root, memory, events } = this.#options;
		const { prior } = memory.value;
		this.#locked = false;
		if (prior === null) return;
		const errors = await lanes.authorize.run((worker) => worker.call("unlock", { root, prior }));
		for (const error of errors) events.warn(`a USB default could not be put back: ${error}`);
	}

	/** A controller that appeared after the lock: its interfaces still come up open. */
	async #lockNew(bus: string): Promise<void> {
		if (!this.#locked || this.#stopped) return;
		const { lanes, root, events } = this.#options;
		try {
			const locked = await lanes.authorize.run((worker) => worker.call("lockController", { root, bus }));
			if (locked.error !== "") events.warn(`a USB controller could not be locked: ${locked.error}`);
		} catch (error) {
			if (!this.#stopped) events.warn(`a USB controller could not be locked: ${String(error)}`);
		}
	}

	#decide(present: PresentDevice): DeviceDecision | null {
		const ruleset = this.#ruleset;
		if (ruleset === null) return null;
		const { presentDevices, protectConsoleKeyboard } = this.#options.config();
		const wasPresent = this.#options.memory.value.present?.includes(present.instance) ?? false;
		const decision = decideDevice(ruleset, present.device, {
			mode: wasPresent && presentDevices === "audit" ? "audit" : "apply",
			consoleKeyboard: wasPresent && protectConsoleKeyboard && isBootKeyboard(present.device),
		});
		const allowed = this.#permissions.until(present.device.port, present.instance) !== null;
		return allowed ? permitted(decision) : decision;
	}

	#remember(change: Parameters<UsbMemory["update"]>[0]): void {
		const problem = this.#options.memory.update(change);
		if (problem !== null)
			this.#options.events.warn(`what must outlive a restart could not be saved: ${problem}`);
	}
}
