/** The USB enforcer, as the registry knows it. */

import { Sysfs } from "../../kernel/sysfs.ts";
import { postureInForce } from "../../report/enforcement-notice.ts";
import type { Enforcer } from "../contract/enforcer.ts";
import { describeDevices, deviceTelling } from "./compile/describe.ts";
import { lintDeviceSet } from "./compile/lint.ts";
import type { SelectedEntry } from "./compile/match.ts";
import { DeviceRuleset, selectEntries } from "./compile/ruleset.ts";
import { devicePart, type HostDevicePolicy } from "./model.ts";
import { deviceBlock } from "./parse/device-block.ts";
import { bootId } from "./run/memory.ts";
import { restoreUsbLock } from "./run/restore.ts";
import type { StagedEntries } from "./run/staged-devices.ts";

/** What the running half is given. */
export interface UsbSent {
	/** The entries of the device policies that are meant for this host. */
	readonly entries: readonly SelectedEntry[];
	/** What is staged beside them. */
	readonly staged: StagedEntries;
	/** Whether the entries need the USB lock; null where broken policies leave that open. */
	readonly lock: boolean | null;
	/** See Outcome. */
	readonly complete: boolean;
}

export const usbEnforcer: Enforcer<HostDevicePolicy, DeviceRuleset, DeviceRuleset, UsbSent, null> = {
	name: devicePart.enforcer,
	part: devicePart,
	kinds: [],
	hostBlocks: [deviceBlock],
	enabled: (config) => config.enableKubeArmorHostPolicy && config.enableUSBDeviceHandler,
	compile(policies, { config, purpose }) {
		const { hostDefaultDevicePosture: posture, enforcement } = config;
		const entries = selectEntries(policies);
		// A question is about what is written.
		const ruleset = new DeviceRuleset(entries, posture, purpose === "enforce" ? enforcement : "enforce");
		return { ok: true, kept: ruleset, plan: ruleset, diagnostics: lintDeviceSet(ruleset) };
	},
	send(ruleset, policies, { config, complete, staged = [] }) {
		const entries = selectEntries(policies);
		const beside = { entries: selectEntries(staged), policies: staged.map(({ name }) => name) };
		const usb = usbEnforcer.enabled(config);
		const known = complete || !usb || entries.length > 0;
		const lock = known ? usb && ruleset?.needsLock === true : null;
		return { entries, staged: beside, lock, complete };
	},
	lintHost: () => [],
	telling: deviceTelling,
	describe: (policies, ruleset, config) =>
		describeDevices(policies, ruleset, postureInForce(config.hostDefaultDevicePosture, config)),
	boot: ({ lock }) => ({ usbLock: lock }),
	closed: (config) => ({ usbLock: usbEnforcer.enabled(config) }),
	restore({ usbLock }, { config, sysRoot }) {
		if (!usbEnforcer.enabled(config) || usbLock !== true) return { said: "", errors: [] };
		const locked = restoreUsbLock(config.stateDir, new Sysfs(sysRoot), bootId());
		if (!locked.ok) return { said: "", errors: locked.errors.map((error) => `USB: ${error}`) };
		const said = locked.locked ? "USB is locked" : "USB is not locked: the kernel has none yet";
		return { said, errors: [] };
	},
	calls: () => ({}),
};
