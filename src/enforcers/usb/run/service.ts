/** The USB half of the daemon, put together: Workers, event sources, enforcer and reporter. */

import type { Config } from "../../../config/model.ts";
import type { HostIdentity } from "../../../report/alert.ts";
import type { EnforcerReport } from "../../../report/contribution.ts";
import type { Logger } from "../../../report/log.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import type { RunningEnforcer } from "../../contract/running.ts";
import { lintConnectTypes, lintPresentDevices } from "../compile/lint.ts";
import type { SelectedEntry } from "../compile/match.ts";
import { DeviceRuleset } from "../compile/ruleset.ts";
import type { UsbSent } from "../enforcer.ts";
import { devicePart } from "../model.ts";
import { UsbObserver } from "../observe/observer.ts";
import type { UsbEnforcerState } from "../report/device-status.ts";
import { usbReport } from "../report/usb-report.ts";
import { heldReason, UsbEnforcer } from "./enforcer.ts";
import { UsbHistoryKeeper } from "./history-keeper.ts";
import type { HandResult } from "./manual-decisions.ts";
import { bootId, UsbMemory } from "./memory.ts";
import { deviceStatuses, UsbReporter } from "./reporter.ts";
import { poolDefaults, UsbWorkerPool } from "./worker-pool.ts";

export interface UsbServiceOptions {
	readonly config: () => Config;
	readonly createWorker: (name: "uevent" | "usb") => Worker;
	readonly sink: AlertSink;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

/** What is answered to whoever asked. */
interface Said {
	readonly ok: boolean;
	readonly message: string;
	readonly values?: { readonly until: string };
}

/** What root may ask for by hand. `port` is the kernel's name of one, such as `1-4.2`. */
export interface UsbVerbs {
	"usb-allow"(request: { readonly port: string; readonly seconds: number }): Said;
	"usb-hand"(request: { readonly what: "end" | "block" | "unblock"; readonly port: string }): Said;
}

export class UsbService implements RunningEnforcer<UsbSent> {
	readonly name = devicePart.enforcer;
	readonly warnings: readonly string[] = [];
	readonly workers = {};
	readonly #history: UsbHistoryKeeper;
	readonly #reporter: UsbReporter;
	readonly #enforcer: UsbEnforcer;
	readonly #log: Logger;
	#reason = "";
	#started: Promise<void> = Promise.resolve();

	constructor(options: UsbServiceOptions) {
		const { config, createWorker, sink, identity, log } = options;
		this.#log = log;
		const { stateDir } = config();
		const boot = bootId();
		this.#history = new UsbHistoryKeeper({
			stateDirectory: stateDir,
			boot,
			warn: (message, reason) => log.warn(message, { reason }),
		});
		this.#reporter = new UsbReporter(sink, identity, log, this.#history);
		const memory = new UsbMemory(stateDir, boot);
		if (memory.problem !== null) log.warn("what was kept about USB is lost", { reason: memory.problem });
		const pool = (keep: () => number) =>
			new UsbWorkerPool({ ...poolDefaults, keep, name: "usb", createWorker: () => createWorker("usb") });
		const source = (backend: "libudev" | "netlink") =>
			new UsbObserver(() => createWorker("uevent"), { backend });
		this.#enforcer = new UsbEnforcer({
			config,
			root: "/sys",
			sources: [source("libudev"), source("netlink")],
			// While devices come up refused, each has to wait for a Worker; a refusal then has nothing to write.
			pools: { authorize: pool(() => (this.#enforcer.state.locked ? 1 : 0)), refuse: pool(() => 0) },
			memory,
			events: this.#reporter,
		});
	}

	get state(): UsbEnforcerState {
		return this.#enforcer.state;
	}

	/** Listening for devices may take its time; nobody waits for it but what is to be enforced. */
	async start(): Promise<void> {
		if (this.#enforcer.enabled) this.#started = this.#enforcer.start();
	}

	/** Puts the selected device entries in force; see UsbEnforcer.enforce. */
	async apply({ entries, staged, complete }: UsbSent): Promise<void> {
		await this.#started;
		await this.#enforcer.enforce(entries, complete, staged);
		const { state, reason, locked, backend, allowlistMode } = this.state;
		if (state === "active") {
			this.#log.info("USB enforced", { entries: entries.length, locked, backend, allowlistMode });
			// What it waits for is no part of putting policies in force.
			void this.#warnOfHost(entries);
		} else if (state === "unavailable" && reason !== this.#reason) {
			if (entries.length > 0 || reason === heldReason)
				this.#log.error("the USB enforcer is unavailable", { reason });
		}
		this.#reason = reason;
	}

	begin(): void {}

	/** What it tells it knows. */
	async refresh(): Promise<void> {}

	report(sent: UsbSent | null): EnforcerReport {
		const { state } = this;
		const counts = this.#reporter.counts(this.#enforcer);
		const entries = sent?.entries.length ?? 0;
		return usbReport({
			state,
			devices: deviceStatuses(this.#enforcer),
			history: () => this.#history.seen(),
			counts,
			entries,
			staged: this.#enforcer.staged.counts,
		});
	}

	/** Devices appear at any time, and each waits for a decision. */
	isUrgent({ entries }: UsbSent): boolean {
		return entries.length > 0;
	}

	/** Leaves everything in the kernel as it is. */
	async stop(): Promise<void> {
		await this.#enforcer.stop();
		this.#history.stop();
	}

	/** What the control socket may ask for. */
	get verbs(): UsbVerbs {
		const { hand } = this.#enforcer;
		const said = (result: HandResult, message: string): Said => (result.ok ? { ok: true, message } : result);
		return {
			"usb-allow": ({ port, seconds }) => {
				const allowed = hand.allow(port, seconds * 1000);
				if (!allowed.ok) return allowed;
				const until = new Date(allowed.until).toISOString();
				return {
					ok: true,
					message: `the device on port ${port} is allowed until ${until}`,
					values: { until },
				};
			},
			"usb-hand": ({ what, port }) => {
				if (what === "end")
					return said(hand.end(port), `the device on port ${port} is judged by the policies again`);
				if (what === "block")
					return said(
						hand.block(port),
						`the device on port ${port} is refused until it is unplugged or allowed`,
					);
				return said(hand.unblock(port), `the device on port ${port} is judged by the policies alone`);
			},
		};
	}

	/** Built-in devices are refused like others, which is seldom meant; and not every host knows which they are. */
	async #warnOfHost(entries: readonly SelectedEntry[]): Promise<void> {
		const devices = this.#enforcer.devices().flatMap(({ present }) => (present ? [present.device] : []));
		const ruleset = new DeviceRuleset(entries, this.state.posture);
		const types = await this.#enforcer.connectTypes();
		for (const { message, hint, code } of [
			...lintPresentDevices(ruleset, devices),
			...lintConnectTypes(ruleset, types),
		]) {
			this.#log.warn(message, { code, hint });
		}
	}
}
