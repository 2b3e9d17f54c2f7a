/** The USB half of the daemon, put together: Workers, event sources, enforcer and desk. */

import { lintPresentDevices } from "../compile/usb-lint.ts";
import type { SelectedEntry } from "../compile/usb-match.ts";
import { DeviceRuleset } from "../compile/usb-ruleset.ts";
import type { Config } from "../config/model.ts";
import { UsbObserver } from "../observe/usb-observer.ts";
import type { AlertSink } from "../report/alert-sink.ts";
import type { UsbCounts } from "../report/device-metrics.ts";
import type { DeviceStatus } from "../report/device-status.ts";
import type { Logger } from "../report/log.ts";
import type { HostIdentity } from "../report/network-alert.ts";
import type { UsbEnforcerState } from "../report/status.ts";
import type { ControlReply } from "./control-protocol.ts";
import { deviceStatuses, UsbDesk } from "./usb-desk.ts";
import { UsbEnforcer } from "./usb-enforcer.ts";
import { laneDefaults, UsbLane } from "./usb-lane.ts";
import { bootId, UsbMemory } from "./usb-memory.ts";

export interface UsbServiceOptions {
	readonly config: () => Config;
	readonly createWorker: (name: "uevent" | "usb") => Worker;
	readonly sink: AlertSink;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

export class UsbService {
	readonly #desk: UsbDesk;
	readonly #enforcer: UsbEnforcer;
	readonly #log: Logger;
	#reason = "";

	constructor(options: UsbServiceOptions) {
		const { config, createWorker, sink, identity, log } = options;
		this.#log = log;
		this.#desk = new UsbDesk(sink, identity, log);
		const memory = new UsbMemory(config().stateDir, bootId());
		if (memory.problem !== null) log.warn("what was kept about USB is lost", { reason: memory.problem });
		const lane = (keep: () => number) =>
			new UsbLane({ ...laneDefaults, keep, name: "usb", createWorker: () => createWorker("usb") });
		const source = (backend: "libudev" | "netlink") =>
			new UsbObserver(() => createWorker("uevent"), { backend });
		this.#enforcer = new UsbEnforcer({
			config,
			root: "/sys",
			sources: [source("libudev"), source("netlink")],
			// While devices come up refused, each has to wait for a Worker; a refusal then has nothing to write.
			lanes: { authorize: lane(() => (this.#enforcer.state.locked ? 1 : 0)), refuse: lane(() => 0) },
			memory,
			events: this.#desk,
		});
	}

	get state(): UsbEnforcerState {
		return this.#enforcer.state;
	}

	/** Starts to listen; nothing is enforced before `enforce`. */
	async start(): Promise<void> {
		if (!this.#enforcer.enabled) return;
		await this.#enforcer.start();
	}

	/** Puts the selected device entries in force; see UsbEnforcer.enforce. */
	async enforce(entries: readonly SelectedEntry[], complete: boolean): Promise<void> {
		await this.#enforcer.enforce(entries, complete);
		const { state, reason, locked, backend, allowlistMode } = this.state;
		if (state === "active") {
			this.#log.info("USB enforced", { entries: entries.length, locked, backend, allowlistMode });
			this.#warnOfBuiltIn(entries);
		} else if (state === "unavailable" && entries.length > 0 && reason !== this.#reason) {
			this.#log.error("the USB enforcer is unavailable", { reason });
		}
		this.#reason = reason;
	}

	devices(): readonly DeviceStatus[] {
		return deviceStatuses(this.#enforcer);
	}

	counts(): UsbCounts {
		return this.#desk.counts(this.#enforcer);
	}

	/** Leaves everything in the kernel as it is. */
	stop(): Promise<void> {
		return this.#enforcer.stop();
	}

	/** Permits the device on a port for `seconds`; in the words of the control socket. */
	allow(port: string, seconds: number): ControlReply {
		const allowed = this.#enforcer.allow(port, seconds * 1000);
		if (!allowed.ok) return allowed;
		const until = new Date(allowed.until).toISOString();
		return { ok: true, message: `the device on port ${port} is allowed until ${until}` };
	}

	/** Built-in devices are refused like others, which is seldom meant. */
	#warnOfBuiltIn(entries: readonly SelectedEntry[]): void {
		const devices = this.#enforcer.devices().flatMap(({ present }) => (present ? [present.device] : []));
		const ruleset = new DeviceRuleset(entries, this.state.posture);
		for (const { message, hint, code } of lintPresentDevices(ruleset, devices)) {
			this.#log.warn(message, { code, hint });
		}
	}
}
