/** `portward run`: wires Workers, enforcer, alerts and HTTP together, for as long as the process lives. */

import { InstanceLock } from "../../ffi/lock.ts";
import { sentTo } from "../enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { DriftFilter } from "../enforcers/network/observe/drift-filter.ts";
import { AccountReader } from "../enforcers/network/run/account-reader.ts";
import { AlertDesk } from "../enforcers/network/run/alert-desk.ts";
import { AlertSummaries } from "../enforcers/network/run/alert-summaries.ts";
import type { NftCalls } from "../enforcers/network/run/calls.ts";
import { DriftDesk } from "../enforcers/network/run/drift-desk.ts";
import { DriftProbe } from "../enforcers/network/run/drift-probe.ts";
import { FlowDesk } from "../enforcers/network/run/flow-desk.ts";
import { InvalidWatch } from "../enforcers/network/run/invalid-watch.ts";
import { NetworkEnforcer } from "../enforcers/network/run/network-enforcer.ts";
import { NetworkObservers } from "../enforcers/network/run/network-observers.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";
import { UsbService } from "../enforcers/usb/run/service.ts";
import type { PolicySettings, Reloaded } from "../engine/reading.ts";
import type { DaemonState } from "../report/status.ts";
import type { ControlReply } from "../serve/control/control-protocol.ts";
import { ControlService } from "../serve/control/control-service.ts";
import { StatusServer } from "../serve/status-server.ts";
import { DirectoryWatcher } from "../source/watch.ts";
import { WorkerClient } from "../threads/rpc.ts";
import { type AlertOutlets, openAlertOutlets } from "./alert-outlets.ts";
import { daemonMetrics } from "./daemon-metrics.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { daemonState } from "./daemon-state.ts";
import { DiagnosticLog } from "./diagnostic-log.ts";
import { currentIdentity, HostDesk, type LiveIdentity } from "./host-desk.ts";
import { hotReload } from "./hot-reload.ts";
import { panicVerbs } from "./panic-verbs.ts";
import { PanicWatch } from "./panic-watch.ts";
import { PendingService } from "./pending/pending-service.ts";
import { PolicyReader } from "./policy-reader.ts";
import { ReloadDesk } from "./reload-desk.ts";
import { reloadOutcome } from "./reload-outcome.ts";
import { Rest } from "./rest.ts";
import type { Vitals } from "./service-manager.ts";
import { SettingsDesk, type SettingsReading } from "./settings-desk.ts";
import { SignatureDesk } from "./signature-desk.ts";
import { daemonVitals } from "./vitals.ts";

export type DaemonStart =
	| { readonly ok: true; readonly daemon: Daemon }
	| { readonly ok: false; readonly message: string };

export class Daemon {
	readonly #options: DaemonOptions;
	readonly #lock: InstanceLock | null;
	readonly #outlets: AlertOutlets;
	readonly #identity: LiveIdentity;
	readonly #host: HostDesk;
	#settings: PolicySettings;
	readonly #policies: PolicyReader;
	readonly #nft: WorkerClient<NftCalls>;
	readonly #enforcer: NetworkEnforcer;
	readonly #observers: NetworkObservers;
	readonly #desk: AlertDesk;
	readonly #usb: UsbService;
	readonly #control: ControlService;
	readonly #pending: PendingService;
	readonly #panic: PanicWatch;
	readonly #signature: SignatureDesk;
	readonly #settingsDesk: SettingsDesk;
	#usbStarted: Promise<void> = Promise.resolve();
	#usbEnforced: Promise<void> = Promise.resolve();
	readonly #attempts: ReloadDesk;
	readonly #drift: DriftDesk;
	readonly #flows: FlowDesk;
	#watcher: DirectoryWatcher | null = null;
	readonly #status: StatusServer;
	readonly #accounts: AccountReader;
	readonly #summaries: AlertSummaries;
	/** Where devices wait for decisions, the Workers that make them shall not wait for their code. */
	readonly #rest = new Rest(() => this.#waitsForDevices());
	readonly #invalid: InvalidWatch;
	readonly #driftProbe: DriftProbe;
	readonly #findings: DiagnosticLog;

	/** Takes the lock, opens the outlets and listens; nothing is enforced before `run`. */
	static async open(options: DaemonOptions): Promise<DaemonStart> {
		const { config } = options;
		const locked = InstanceLock.acquire(config.table);
		if (!locked.ok && locked.reason === "held") {
			return {
				ok: false,
				message: `another portward guards table ${config.table} of this network namespace`,
			};
		}
		const outlets = await openAlertOutlets(config.alerts, options.log);
		const daemon = new Daemon(options, locked.ok ? locked.lock : null, outlets);
		await daemon.#status.start();
		return { ok: true, daemon };
	}

	private constructor(options: DaemonOptions, lock: InstanceLock | null, outlets: AlertOutlets) {
		const { config, checkPermissions, log, createWorker } = options;
		this.#options = options;
		this.#lock = lock;
		this.#outlets = outlets;
		this.#identity = currentIdentity(config.clusterName);
		const directories = { directory: config.policyDir, stateDirectory: config.stateDir };
		this.#settings = { ...directories, checkPermissions, hostname: this.#identity.hostName, config };
		this.#host = new HostDesk({
			identity: this.#identity,
			sink: outlets.sink,
			log,
			uses: () => sentTo(networkEnforcer, this.#policies.latest?.sent ?? {})?.interfaces ?? [],
			reselect: () => this.#reselect(),
			retry: () => this.#retry(),
		});
		this.#status = new StatusServer({
			status: config.status,
			stateDir: config.stateDir,
			checkPermissions,
			hostname: () => this.#host.hostname,
			source: {
				state: () => this.#state(),
				metrics: () => this.#metrics(),
				refresh: () => this.#accounts.refresh(),
				alerts: outlets.ring,
				subscribe: (subscriber) => outlets.sink.subscribe(subscriber),
			},
			log,
		});
		const gone = (name: string) => (reason: string) => {
			log.error(`the ${name} worker ended; what is enforced stays in the kernel, and the process restarts`, {
				reason,
			});
			process.exitCode = 1;
			void this.stop().then(() => process.exit(1));
		};
		this.#policies = new PolicyReader({
			settings: () => this.#pending.settings,
			createWorker: () => createWorker("policy"),
			gone: gone("policy"),
			read: (reloaded) => this.#onRead(reloaded),
		});
		this.#nft = new WorkerClient<NftCalls>("nft", createWorker("nft"), gone("nft"));
		this.#findings = new DiagnosticLog(log);
		this.#desk = new AlertDesk(outlets.sink, this.#identity);
		const telling = { sink: outlets.sink, identity: this.#identity, log };
		const drift = new DriftFilter((event) => this.#drift.changed(event));
		this.#driftProbe = new DriftProbe({
			drift,
			run: (table) => this.#nft.call("probe", { table }),
			warn: (message) => log.warn(message),
		});
		this.#settingsDesk = new SettingsDesk(config.stateDir, outlets.sink, this.#identity, log);
		this.#signature = new SignatureDesk({
			...telling,
			stateDirectory: config.stateDir,
		});
		this.#panic = new PanicWatch({
			stateDirectory: config.stateDir,
			checkPermissions,
			table: config.table,
			...telling,
			changed: () => void this.#enforcer.reload(),
		});
		this.#pending = new PendingService({
			settings: () => this.#settings,
			createWorker: () => createWorker("policy"),
			enforce: () => this.#enforce(),
			obstacle: () => this.#panic.reason(),
			...telling,
		});
		this.#enforcer = new NetworkEnforcer({
			panic: () => this.#panic.reason(),
			config: () => this.#pending.settings.config,
			confirmed: () => this.#pending.changes.confirmed,
			policies: this.#policies,
			judge: this.#policies.worker,
			nft: this.#nft,
			drift: this.#driftProbe,
			events: {
				reloaded: (result, seconds, detail) => {
					this.#attempts.ended(result, seconds, detail, this.#policies.latest, this.#enforcer.state);
					this.#rest.worked();
				},
				found: (counters) => this.#desk.found(counters),
				repaired: (_event, error, anew) => this.#drift.repaired(error, anew),
				ended: (report) => this.#flows.ended(report),
				warn: (message) => log.warn(message),
			},
		});
		this.#attempts = new ReloadDesk(this.#findings, log);
		this.#flows = new FlowDesk({
			table: config.table,
			readmit: () => this.#enforcer.readmit(),
			...telling,
		});
		this.#drift = new DriftDesk({
			table: config.table,
			enforcer: this.#enforcer,
			open: (event) => this.#panic.drifted(event),
			...telling,
		});
		this.#invalid = new InvalidWatch(outlets.sink, this.#identity);
		this.#accounts = new AccountReader(this.#desk, this.#enforcer, (read) => this.#invalid.take(read));
		this.#summaries = new AlertSummaries(this.#desk, this.#accounts, this.#enforcer);
		this.#observers = new NetworkObservers({
			table: config.table,
			nflogGroup: config.nflogGroup,
			alertsPerSecond: config.alerts.perSecond,
			createWorker,
			drift,
			packets: (batch) => {
				this.#flows.take(batch);
				this.#desk.take(batch, (id) => this.#enforcer.rule(id));
			},
			nflogStarted: () => this.#desk.workerRestarted(),
			driftReady: () => void this.#driftProbe.observing(),
			suspect: (event) => this.#drift.lost(event),
			warn: (message) => log.warn(message),
		});
		this.#usb = new UsbService({
			config: () => this.#settings.config,
			createWorker,
			...telling,
		});
		this.#control = new ControlService({
			stateDirectory: config.stateDir,
			verbs: {
				page: ({ revoke }) => this.#status.page(revoke),
				...this.#usb.verbs,
				...panicVerbs(this.#panic, this.#enforcer),
				...this.#pending.verbs,
				reload: () => this.#reloadAsked(),
				"reset-serial": (_, { pid }) => this.#resetSerial(pid),
			},
			log,
		});
	}

	/** Enforces what is on disk, then keeps to it. Resolves after the first attempt. */
	async run(): Promise<void> {
		const { config, settings } = this.#options;
		if (settings !== undefined) this.#settingsDesk.read(settings);
		this.#signature.start();
		this.#host.start();
		this.#panic.start();
		await this.#pending.changes.start();
		await this.#control.start();
		// The log reader comes first: no packet that a new rule logs may go unread.
		if (config.enableNetworkPolicyEnforcer) await this.#observers.start();
		// Listening for devices may take its time; the network does not wait for it.
		this.#usbStarted = this.#usb.start();
		// Watched before it is read, so that a change in between is read again.
		this.#watcher = new DirectoryWatcher(config.policyDir, () => void this.#pending.changes.changed(false));
		await this.#watcher.ready;
		await this.#enforcer.reload();
		this.#summaries.start();
		this.#invalid.start(() => this.#accounts.refresh());
		this.#desk.rulesKnown((id) => this.#enforcer.rule(id));
		await this.#usbEnforced;
		await this.#pending.changes.enforced();
		this.#findings.logUnavailable(this.#enforcer.state);
		// What starting left behind: most of this process's life it waits.
		this.#rest.now();
	}

	/** Whether the first attempt put the policies in force, or was not asked to. */
	get enforcing(): boolean {
		const usb = !this.#waitsForDevices() || this.#usb.state.state !== "unavailable";
		return usb && this.#enforcer.state.state !== "unavailable";
	}

	/** For the service manager. */
	get vitals(): Vitals {
		return daemonVitals({ nft: this.#nft, policy: this.#policies.worker }, () => this.#state());
	}

	/** Takes over the settings that can change while the daemon runs, and reads the policies again. Never rejects. */
	async reload(fresh: SettingsReading): Promise<ControlReply> {
		const { log } = this.#options;
		const settings = this.#settingsDesk.read(fresh);
		// Broken settings change nothing, but the policies are read all the same.
		const { config, needRestart } = hotReload(this.#settings.config, fresh.config ?? this.#settings.config);
		this.#settings = { ...this.#settings, config };
		if (needRestart.length > 0)
			log.warn("these settings take effect at the next start", { settings: needRestart });
		log.info("reloading");
		void this.#status.reload();
		this.#attempts.begin();
		await this.#pending.changes.changed(true);
		return reloadOutcome({ settings, refusal: this.#attempts.refusal, needRestart, state: this.#state() });
	}

	/** Ends everything but the rules in the kernel: a firewall must not open because its agent stopped. */
	async stop(): Promise<void> {
		this.#control.stop();
		this.#pending.changes.stop();
		this.#panic.stop();
		this.#watcher?.stop();
		this.#host.stop();
		this.#summaries.stop();
		this.#rest.stop();
		this.#invalid.stop();
		this.#status.stop();
		await Promise.all([this.#observers.stop(), this.#usb.stop()]);
		await this.#enforcer.stop();
		this.#driftProbe.stop();
		this.#policies.stop();
		this.#nft.stop();
		this.#outlets.close();
		this.#lock?.release();
	}

	/** Enforces what is to be in force now. Resolves with why it is not, or "". */
	async #enforce(): Promise<string> {
		this.#attempts.begin();
		await this.#enforcer.reload();
		const { state, reason } = this.#enforcer.state;
		return state === "unavailable" ? reason : this.#attempts.refusal;
	}

	#reloadAsked(): Promise<ControlReply> {
		const { reload } = this.#options;
		const { config } = this.#settings;
		return reload?.() ?? this.reload({ config, diagnostics: [], source: null });
	}

	async #resetSerial(pid: number): Promise<ControlReply> {
		const reset = this.#signature.reset(`process ${pid} of root`);
		if (!reset.ok) return reset;
		const { ok, message } = await this.#reloadAsked();
		return { ok, message: `${reset.message}; ${message}` };
	}

	/** The host has another name: other policies may be for it, pending ones included. */
	#reselect(): void {
		this.#settings = { ...this.#settings, hostname: this.#host.hostname };
		void this.#enforcer.reload();
	}

	/** What could not be had, such as a kernel module, may be there now. */
	#retry(): void {
		if (this.#enforcer.state.state === "unavailable") void this.#enforcer.reload();
	}

	/** Devices do not wait for the firewall's ruleset, which may take seconds to load. */
	#onRead(reloaded: Reloaded): void {
		this.#signature.read(reloaded.signature, this.#options.config.policyDir);
		this.#findings.log(reloaded.diagnostics);
		this.#host.policiesRead();
		const devices = sentTo(usbEnforcer, reloaded.sent);
		if (devices !== undefined)
			this.#usbEnforced = this.#usbStarted.then(() => this.#usb.enforce(devices.entries, devices.complete));
	}

	#waitsForDevices(): boolean {
		return (sentTo(usbEnforcer, this.#policies.latest?.sent ?? {})?.entries ?? []).length > 0;
	}

	#state(): DaemonState {
		return daemonState({
			version: this.#options.build.version,
			config: this.#settings.config,
			confinement: this.#options.confinement,
			accounts: this.#accounts,
			attempts: this.#attempts,
			desk: this.#desk,
			drift: this.#drift,
			enforcer: this.#enforcer,
			reloaded: this.#policies.latest,
			flows: this.#flows,
			host: this.#host,
			observers: this.#observers,
			panic: this.#panic,
			pending: this.#pending,
			settings: this.#settingsDesk,
			signature: this.#signature,
			status: this.#status,
			usb: this.#usb,
		});
	}

	async #metrics(): Promise<string> {
		await this.#accounts.refresh();
		return daemonMetrics({
			state: this.#state(),
			commit: this.#options.build.commit,
			sink: this.#outlets.sink,
			attempts: this.#attempts,
			pending: this.#pending,
		});
	}
}
