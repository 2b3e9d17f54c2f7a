/** What the USB enforcer is given, and what it tells. */

import type { Config } from "../../../config/model.ts";
import type { DeviceDecision } from "../compile/decide.ts";
import type { PresentDevice } from "../observe/devices.ts";
import type { UsbEvents } from "../observe/observer.ts";
import type { UsbMemory } from "./memory.ts";
import type { WouldRefuse } from "./staged-devices.ts";
import type { Tracked, TrackerEvents } from "./tracker.ts";
import type { UsbWorkerPool } from "./worker-pool.ts";

export interface UsbEnforcerEvents extends Omit<TrackerEvents, "settled"> {
	/** As the tracker's; `allowedUntil` is that of a temporary permission, in milliseconds since the epoch, or null. */
	settled(
		device: Tracked,
		present: PresentDevice,
		decision: DeviceDecision,
		allowedUntil: number | null,
	): void;
	/** What is staged would refuse functions of a device, which are told of for the first time. */
	staged(present: PresentDevice, would: readonly WouldRefuse[]): void;
	/** The kernel's defaults were opened by somebody else, and are closed again. */
	reopened(buses: readonly string[]): void;
	overflow(): void;
	rescan(): void;
	warn(message: string): void;
	/** Somebody else refused what the policies permit; it stays refused. */
	foreign(port: string, present: PresentDevice): void;
	/** A temporary permission began (milliseconds since the epoch) or ended (null). */
	allowed(port: string, present: PresentDevice, until: number | null): void;
	/** The administrator refused a device by hand. */
	blocked(port: string, present: PresentDevice): void;
}

export interface UsbEnforcerOptions {
	readonly config: () => Config;
	/** /sys, or a stand-in for it. */
	readonly root: string;
	/** The preferred first. */
	readonly sources: readonly UsbEvents[];
	readonly pools: {
		readonly authorize: Pick<UsbWorkerPool, "run" | "stop">;
		readonly refuse: Pick<UsbWorkerPool, "run" | "stop">;
	};
	readonly memory: UsbMemory;
	readonly events: UsbEnforcerEvents;
	readonly deadline?: number;
	/** Milliseconds between two looks at everything, for what sends no event. */
	readonly verifyEvery?: number;
}
