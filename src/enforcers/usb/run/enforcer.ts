/** Keeps the machine's USB ports what the device policies say. */

import { postureInForce } from "../../../report/enforcement-notice.ts";
import { type DecideOptions, type DeviceDecision, decideDevice } from "../compile/decide.ts";
import type { SelectedEntry } from "../compile/match.ts";
import { allowedForATime, asItIs } from "../compile/overlay.ts";
import { DeviceRuleset } from "../compile/ruleset.ts";
import type { PresentDevice } from "../observe/devices.ts";
import type { UsbEvents } from "../observe/observer.ts";
import type { Backend } from "../observe/uevent-source.ts";
import type { UsbEnforcerState } from "../report/device-status.ts";
import type { UsbEnforcerOptions } from "./enforcer-options.ts";
import { UsbLockKeeper } from "./lock-keeper.ts";
import { ManualDecisions } from "./manual-decisions.ts";
import type { UsbMemory } from "./memory.ts";
import { UsbOwners } from "./owners.ts";
import { OwnersKeeper } from "./owners-keeper.ts";
import { UsbPermissions } from "./permissions.ts";
import { chooseSource } from "./source.ts";
import { nothingStaged, StagedDevices } from "./staged-devices.ts";
import { type Tracked, UsbTracker } from "./tracker.ts";

const verifyMs = 30_000;

/** What the enforcer says while the lock of policies that are lost holds. */
export const heldReason = "locked, no usable policies: new devices stay refused";

export class UsbEnforcer {
	readonly #options: UsbEnforcerOptions;
	readonly #tracker: UsbTracker;
	readonly #permissions = new UsbPermissions();
	readonly #owners: UsbOwners;
	readonly #lock: UsbLockKeeper;
	/** What the administrator decides by hand. */
	readonly hand: ManualDecisions;
	readonly staged = new StagedDevices();
	readonly #keeper = new OwnersKeeper(() => this.#remember(this.#owners.kept));
	#source: UsbEvents | null = null;
	#backend: Backend | null = null;
	#down = "starting";
	#reason = "starting";
	#ruleset: DeviceRuleset | null = null;
	/** What an earlier policy refused stays refused, and so does what comes. */
	#holds = false;
	#verify: ReturnType<typeof setInterval> | null = null;
	#queue: Promise<void> = Promise.resolve();
	#queued = false;
	#stopped = false;

	constructor(options: UsbEnforcerOptions) {
		this.#options = options;
		const { root, pools, memory, deadline, events } = options;
		this.#owners = new UsbOwners({ memory, changed: () => this.#keeper.soon() });
		this.#lock = new UsbLockKeeper({
			root,
			pool: pools.authorize,
			memory,
			foundRefused: (instances) => this.#owners.foundRefused(instances),
			reopened: (buses) => events.reopened(buses),
			warn: (message) => events.warn(message),
			remember: (change) => this.#remember({ ...change, ...this.#owners.kept }),
		});
		this.#tracker = new UsbTracker({
			root,
			pools,
			...(deadline === undefined ? {} : { deadline }),
			decide: (present) => this.#decide(present),
			control: (present) => ({ writes: this.#writes(present), locked: this.#lock.locked }),
			owners: {
				refusing: (instances) => (this.#owners.refusing(instances) ? this.#keeper.now() : null),
				given: (instance) => this.#owners.given(instance),
			},
			events: {
				pending: (device) => events.pending(device),
				failed: (device, error) => events.failed(device, error),
				undone: (device, present) => events.undone(device, present),
				written: (seconds) => events.written(seconds),
				removed: (device) => {
					this.#permissions.revoke(device.name);
					if (device.present !== null) this.#owners.forget(device.present);
					events.removed(device);
				},
				settled: (device, present, decision) => {
					if (present.device.level === 0) void this.#lockNew(present.device.port);
					events.settled(device, present, decision, this.allowedUntil(device));
					this.#judgeStaged(device, present);
				},
			},
		});
		this.hand = new ManualDecisions({
			tracker: this.#tracker,
			permissions: this.#permissions,
			owners: this.#owners,
			events,
			holds: () => this.#holds,
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
			locked: this.#lock.locked,
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
		const { sources, pools, root, events } = this.#options;
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
			() => pools.authorize.run((worker) => worker.call("testEvent", { root })),
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
	async enforce(entries: readonly SelectedEntry[], complete = true, staged = nothingStaged): Promise<void> {
		const config = this.#options.config();
		const { hostDefaultDevicePosture, enforcement } = config;
		this.staged.set(entries, staged, config);
		this.#ruleset = new DeviceRuleset(entries, hostDefaultDevicePosture, enforcement);
		this.#holds = !complete && entries.length === 0;
		await this.#again();
	}

	/** The connect types that this machine's ports report; none where that could not be asked. */
	async connectTypes(): Promise<ReadonlySet<string>> {
		const { pools, root } = this.#options;
		try {
			return new Set(await pools.authorize.run((worker) => worker.call("connectTypes", { root })));
		} catch {
			// The daemon stops, or a Worker ended: warnings can wait for the next policies.
			return new Set();
		}
	}

	/** Leaves everything in the kernel as it is. */
	async stop(): Promise<void> {
		this.#stopped = true;
		if (this.#verify) clearInterval(this.#verify);
		this.#permissions.clear();
		this.#keeper.stop();
		this.#tracker.stop();
		await this.#source?.stop();
		this.#options.pools.authorize.stop();
		this.#options.pools.refuse.stop();
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
		const { events, memory, pools, root } = this.#options;
		if (this.#down !== "" || ruleset === null) return;
		const listed = await pools.authorize.run((worker) => worker.call("list", { root }));
		if (listed === null) {
			this.#reason = "the kernel shows no USB (/sys/bus/usb is not there)";
			return;
		}
		// Before the lock: what comes between this and the lock counts as new.
		if (memory.value.present === null) {
			this.#remember({ present: listed.map(({ instance }) => instance) });
		}
		if (ruleset.needsLock) {
			const refused = await this.#lock.lock();
			if (refused !== "") {
				this.#reason = refused;
				return;
			}
		} else if (this.#holds) await this.#lock.hold();
		else await this.#lock.unlock();
		this.#reason = this.#holds && this.#lock.locked ? heldReason : "";
		events.rescan();
		this.#tracker.rescan(listed.map(({ name }) => name));
		await this.#tracker.quiet();
		this.#forgetGone();
		// Only then nothing is left that an earlier policy refused, which the next start took for somebody else's refusal.
		if (!this.#lock.locked && !this.#holds && this.#tracker.done && memory.value.prior !== null)
			this.#remember({ prior: null });
	}

	/** A controller that appeared after the lock: its interfaces still come up open. */
	async #lockNew(bus: string): Promise<void> {
		if (!this.#lock.locked || this.#stopped) return;
		try {
			await this.#lock.lockNew(bus);
		} catch (error) {
			if (!this.#stopped) this.#options.events.warn(`a USB controller could not be locked: ${String(error)}`);
		}
	}

	/** Whether anything is written about a device: by policies in force, or because the administrator asked for it. */
	#writes(present: PresentDevice): boolean {
		const { instance, device } = present;
		if (this.#owners.blocked(instance) || this.#permissions.until(device.port, instance) !== null)
			return true;
		return !this.#holds && (this.#options.memory.value.prior !== null || this.#owners.owed(present));
	}

	#optionsFor(present: PresentDevice): DecideOptions {
		const { presentDevices, protectConsoleKeyboard } = this.#options.config();
		const wasPresent = this.#options.memory.value.present?.includes(present.instance) ?? false;
		return {
			mode: wasPresent && presentDevices === "audit" ? "audit" : "apply",
			consoleKeyboard: wasPresent && protectConsoleKeyboard,
		};
	}

	/** A hand or a lock without policies decides about a device before any policy does, staged or not. */
	#judgeStaged(device: Tracked, present: PresentDevice): void {
		const byHand = this.allowedUntil(device) !== null || this.#owners.blocked(present.instance);
		if (this.#ruleset === null || byHand || this.#holds) return;
		const would = this.staged.judge(device, present, this.#ruleset, this.#optionsFor(present));
		if (would.length > 0) this.#options.events.staged(present, would);
	}

	#decide(present: PresentDevice): DeviceDecision | null {
		const ruleset = this.#ruleset;
		if (ruleset === null) return null;
		const refusedNow = this.#owners.observe(present);
		const judged = decideDevice(ruleset, present.device, this.#optionsFor(present));
		const { port } = present.device;
		const allowed = this.#permissions.until(port, present.instance) !== null;
		const own = allowed ? allowedForATime(judged) : judged;
		const decision = this.#owners.overlay(own, present);
		if (refusedNow && decision !== own) this.#options.events.foreign(port, present);
		if (this.#writes(present)) return decision;
		return asItIs(decision, present, this.#holds ? "no-policies" : "kernel-default");
	}

	#remember(change: Parameters<UsbMemory["update"]>[0]): void {
		const problem = this.#options.memory.update(change);
		if (problem !== null)
			this.#options.events.warn(`what must outlive a restart could not be saved: ${problem}`);
	}

	/** As soon as every device has been seen, what is known of devices that are gone is of no use. */
	#forgetGone(): void {
		const present = this.#tracker.devices().flatMap((device) => device.present ?? []);
		if (present.length === this.#tracker.devices().length) this.#owners.keepOnly(present);
	}
}
