/** What becomes of a present device under a set of policies, as the daemon would decide. Changes nothing. */

import type { Config } from "../config/model.ts";
import { type DeviceDecision, decideDevice } from "../enforcers/usb/compile/decide.ts";
import { asItIs } from "../enforcers/usb/compile/overlay.ts";
import type { DeviceRuleset } from "../enforcers/usb/compile/ruleset.ts";
import type { PresentDevice } from "../enforcers/usb/observe/devices.ts";
import { bootId, UsbMemory } from "../enforcers/usb/run/memory.ts";
import { UsbOwners } from "../enforcers/usb/run/owners.ts";

/** Reads from the state directory which devices this boot began with, and what somebody else refused. */
export class PresentJudge {
	readonly #config: Config;
	readonly #memory: UsbMemory;
	readonly #owners: UsbOwners;

	constructor(config: Config) {
		this.#config = config;
		this.#memory = new UsbMemory(config.stateDir, bootId());
		this.#owners = new UsbOwners({ memory: this.#memory, changed: () => {} });
	}

	decide(ruleset: DeviceRuleset, present: PresentDevice): DeviceDecision {
		const { presentDevices, protectConsoleKeyboard } = this.#config;
		// What is there when portward first starts counts as there before it.
		const wasPresent = this.#memory.value.present?.includes(present.instance) ?? true;
		const decision = decideDevice(ruleset, present.device, {
			mode: wasPresent && presentDevices === "audit" ? "audit" : "apply",
			consoleKeyboard: wasPresent && protectConsoleKeyboard,
		});
		this.#owners.observe(present);
		const judged = this.#owners.overlay(decision, present);
		// Without a lock nothing is written.
		const writes = ruleset.needsLock || this.#memory.value.prior !== null;
		return writes ? judged : asItIs(judged, present, "kernel-default");
	}
}
