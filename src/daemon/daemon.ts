/** `portward run`: wires Workers, enforcer, alerts and HTTP together, for as long as the process lives. */

import { InstanceLock } from "../../ffi/lock.ts";
import { sentTo } from "../enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import type { EnforcerEvents } from "../enforcers/network/run/enforcer-options.ts";
import { NetworkService } from "../enforcers/network/run/network-service.ts";
import { UsbService } from "../enforcers/usb/run/service.ts";
import type { PolicySettings, Reloaded } from "../engine/reading.ts";
import type { DaemonState } from "../report/status.ts";
import type { ControlReply } from "../serve/control/control-protocol.ts";
import { ControlService } from "../serve/control/control-service.ts";
import { StatusServer } from "../serve/status-server.ts";
import { DirectoryWatcher } from "../source/watch.ts";
import { type AlertOutlets, openAlertOutlets } from "./alert-outlets.ts";
import { daemonMetrics } from "./daemon-metrics.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { daemonState } from "./daemon-state.ts";
import { DiagnosticLog } from "./diagnostic-log.ts";
import { Generations } from "./generations.ts";
import { currentIdentity, HostMonitor, type LiveIdentity } from "./host-monitor.ts";
import { hotReload } from "./hot-reload.ts";
import { FeedMonitor } from "./monitors/feed-monitor.ts";
import { SettingsMonitor, type SettingsReading } from "./monitors/settings-monitor.ts";
import { SignatureMonitor } from "./monitors/signature-monitor.ts";
import { TestsMonitor } from "./monitors/tests-monitor.ts";
import { panicVerbs } from "./panic-verbs.ts";
import { PanicWatch } from "./panic-watch.ts";
import { PendingService } from "./pending/pending-service.ts";
import { PolicyReader } from "./policy-reader.ts";
import { ReloadHistory } from "./reload-history.ts";
import { reloadOutcome } from "./reload-outcome.ts";
import { Rest } from "./rest.ts";
import { RunningEnforcers } from "./running-enforcers.ts";
import type { Vitals } from "./service-manager.ts";
import { daemonVitals } from "./vitals.ts";

export type DaemonStart =
	| { readonly ok: true; readonly daemon: Daemon }
	| { readonly ok: false; readonly message: string };

export class Daemon {
	readonly #options: DaemonOptions;
	readonly #lock: InstanceLock | null;
	readonly #outlets: AlertOutlets;
	readonly #identity: LiveIdentity;
	readonly #host: HostMonitor;
	#settings: PolicySettings;
	readonly #policies: PolicyReader;
	readonly #generations: Generations;
	readonly #network: NetworkService;
	readonly #running: RunningEnforcers;
	readonly #control: ControlService;
	readonly #pending: PendingService;
	readonly #panic: PanicWatch;
	readonly #signature: SignatureMonitor;
	readonly #tests: TestsMonitor;
	readonly #feeds: FeedMonitor;
	readonly #settingsMonitor: SettingsMonitor;
	readonly #attempts: ReloadHistory;
	#watcher: DirectoryWatcher | null = null;
	readonly #status: StatusServer;
	/** Where somebody waits for decisions, those that make them shall not wait for their code. */
	readonly #rest = new Rest(() => this.#running.urgent);
	readonly #findings: DiagnosticLog;

	/** Takes the lock, opens the outlets and listens; nothing is enforced before `run`. */
	static async open(options: DaemonOptions): Promise<DaemonStart> {
		const { config } = options;
		const locked = InstanceLock.acquire(config.table);
		const message = `another portward guards table ${config.table} of this network namespace`;
		if (!locked.ok && locked.reason === "held") return { ok: false, message };
		const outlets = await openAlertOutlets(options);
		const log = outlets.api.telling(options.log);
		const daemon = new Daemon({ ...options, log }, locked.ok ? locked.lock : null, outlets);
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
		const telling = { sink: outlets.sink, identity: this.#identity, log };
		this.#host = new HostMonitor({
			...telling,
			uses: () => sentTo(networkEnforcer, this.#policies.latest?.sent ?? {})?.interfaces ?? [],
			forwarded: () => this.#settings.config.guests.forwarded,
			reselect: () => this.#reselect(),
			linksChanged: () => void Promise.all([this.#network.linksChanged(), this.#outlets.routesChanged()]),
			waiting: () => this.#network.state.state === "unavailable",
			// What could not be had, such as a kernel module, may be there now.
			retry: () => (this.#network.state.state === "unavailable" ? void this.#network.reload() : undefined),
		});
		this.#status = this.#statusServer();
		this.#policies = new PolicyReader({
			settings: () => this.#pending.settings,
			createWorker: () => createWorker("policy"),
			gone: this.#gone("policy"),
			read: (reloaded) => this.#onRead(reloaded),
			askedMuch: () => this.#rest.worked(),
			kept: () => this.#generations.inForce(this.#pending.settings.config, this.#pending.changes.state),
		});
		this.#generations = new Generations({
			stateDirectory: config.stateDir,
			tell: (before, config) => this.#policies.worker.call("tellChange", { before, config }),
			generation: () => this.#network.state.generation,
			log,
		});
		this.#findings = new DiagnosticLog(log);
		outlets.begin({ ...telling, policies: this.#policies });
		outlets.throttle.begin({ ...telling, settings: () => this.#settings.config });
		this.#settingsMonitor = new SettingsMonitor(config.stateDir, outlets.sink, this.#identity, log);
		this.#signature = new SignatureMonitor({ ...telling, stateDirectory: config.stateDir });
		this.#tests = new TestsMonitor(telling);
		this.#feeds = new FeedMonitor({
			...telling,
			watched: () => (this.#settings.config.confirm === "required" ? null : config.policyDir),
			changed: () => void this.#network.reload(),
		});
		this.#panic = new PanicWatch({
			stateDirectory: config.stateDir,
			checkPermissions,
			table: config.table,
			...telling,
			changed: () => void this.#network.reload(),
		});
		this.#pending = new PendingService({
			settings: () => this.#settings,
			createWorker: () => createWorker("policy"),
			enforce: () => this.#enforce(),
			obstacle: () => this.#panic.reason(),
			settled: (result, change, how) => this.#generations.settled(result, change, how),
			...telling,
		});
		this.#attempts = new ReloadHistory(this.#findings, log);
		this.#network = new NetworkService({
			config: () => this.#settings.config,
			enforced: () => this.#pending.settings.config,
			createWorker,
			gone: this.#gone("nft"),
			policies: this.#policies,
			judge: this.#policies.worker,
			panic: this.#panic,
			confirmed: () => this.#pending.changes.confirmed,
			host: this.#host,
			renamed: () => this.#host.look(),
			reloaded: this.#reloaded,
			...telling,
		});
		const usb = new UsbService({ config: () => this.#settings.config, createWorker, ...telling });
		this.#running = new RunningEnforcers([this.#network, usb]);
		this.#control = this.#controlService(usb);
	}

	#statusServer(): StatusServer {
		const { config, checkPermissions, log } = this.#options;
		return new StatusServer({
			status: config.status,
			stateDir: config.stateDir,
			checkPermissions,
			hostname: () => this.#host.hostname,
			source: {
				state: () => this.#state(),
				metrics: () => this.#metrics(),
				refresh: () => this.#running.refresh(),
				alerts: this.#outlets.ring,
				subscribe: (subscriber) => this.#outlets.sink.subscribe(subscriber),
				answeredMuch: () => this.#rest.worked(),
			},
			log,
		});
	}

	#controlService(usb: UsbService): ControlService {
		const { config, log } = this.#options;
		return new ControlService({
			stateDirectory: config.stateDir,
			verbs: {
				page: ({ revoke }) => this.#status.page(revoke),
				...usb.verbs,
				...panicVerbs(this.#panic, this.#network),
				...this.#pending.verbs,
				reload: () => this.#reloadAsked(),
				"reset-serial": (_, { pid }) => this.#resetSerial(pid),
			},
			log,
		});
	}

	/** What to do where a Worker that is needed ended. */
	#gone(name: string): (reason: string) => void {
		return (reason) => {
			const message = `the ${name} worker ended; what is enforced stays in the kernel, and the process restarts`;
			this.#options.log.error(message, { reason });
			process.exitCode = 1;
			void this.stop().then(() => process.exit(1));
		};
	}

	/** Enforces what is on disk, then keeps to it. Resolves after the first attempt. */
	async run(): Promise<void> {
		const { config, settings } = this.#options;
		if (settings !== undefined) this.#settingsMonitor.read(settings);
		this.#generations.start();
		this.#signature.start();
		this.#host.start();
		this.#panic.start();
		await this.#pending.changes.start();
		await this.#control.start();
		await this.#running.start();
		// Watched before it is read, so that a change in between is read again.
		const changed = () => void this.#pending.changes.changed(false);
		const { confirm } = config;
		// What has to be confirmed first is looked at by others.
		const stirred = () => confirm !== "required" && this.#policies.wake();
		this.#watcher = new DirectoryWatcher(config.policyDir, changed, { stirred });
		await this.#watcher.ready;
		await this.#network.reload();
		this.#running.begin();
		await this.#running.applied();
		await this.#pending.changes.enforced();
		this.#findings.logUnavailable(this.#network.state);
		// What starting left behind: most of this process's life it waits.
		this.#rest.now();
	}

	/** Whether the first attempt put the policies in force, or was not asked to. */
	get enforcing(): boolean {
		return this.#running.reports().every(({ obstacle }) => obstacle === "");
	}

	/** For the service manager. */
	get vitals(): Vitals {
		return daemonVitals({ ...this.#running.workers, policy: this.#policies.worker }, () => this.#state());
	}

	/** Takes over the settings that can change while the daemon runs, and reads the policies again. Never rejects. */
	async reload(fresh: SettingsReading): Promise<ControlReply> {
		const { log } = this.#options;
		const settings = this.#settingsMonitor.read(fresh);
		// Broken settings change nothing, but the policies are read all the same.
		const { config, needRestart } = hotReload(this.#settings.config, fresh.config ?? this.#settings.config);
		this.#settings = { ...this.#settings, config };
		this.#outlets.configure(config);
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
		this.#feeds.stop();
		this.#host.stop();
		this.#rest.stop();
		this.#status.stop();
		await this.#running.stop();
		this.#policies.stop();
		await this.#outlets.close();
		this.#lock?.release();
	}

	/** Enforces what is to be in force now. Resolves with why it is not, or "". */
	async #enforce(): Promise<string> {
		this.#attempts.begin();
		await this.#network.reload();
		const { state, reason } = this.#network.state;
		return state === "unavailable" ? reason : this.#attempts.refusal;
	}

	#reloadAsked(): Promise<ControlReply> {
		const fresh = { config: this.#settings.config, diagnostics: [], source: null };
		return this.#options.reload?.() ?? this.reload(fresh);
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
		void this.#network.reload();
	}

	readonly #reloaded: EnforcerEvents["reloaded"] = (result, seconds, detail) => {
		this.#attempts.ended(result, seconds, detail, this.#policies.latest, this.#network.state);
		this.#rest.worked();
	};

	/** Devices do not wait for the firewall's ruleset, which may take seconds to load. */
	#onRead(reloaded: Reloaded): void {
		this.#signature.read(reloaded.signature, this.#options.config.policyDir);
		this.#tests.read(reloaded.tests, this.#options.config.policyDir);
		this.#feeds.read(reloaded.feeds);
		this.#findings.log(reloaded.diagnostics);
		this.#host.policiesRead();
		void this.#outlets.policiesRead();
		this.#running.apply(reloaded.sent);
	}

	#state(): DaemonState {
		return daemonState({
			version: this.#options.build.version,
			config: this.#settings.config,
			confinement: this.#options.confinement,
			attempts: this.#attempts,
			reloaded: this.#policies.latest,
			running: this.#running,
			host: this.#host,
			panic: this.#panic,
			pending: this.#pending,
			settings: this.#settingsMonitor,
			signature: this.#signature,
			tests: this.#tests,
			feeds: this.#feeds,
			status: this.#status,
			generations: this.#generations,
			sinks: this.#outlets.sinkStates,
			kubearmorApi: this.#outlets.api,
		});
	}

	async #metrics(): Promise<string> {
		await this.#running.refresh();
		return daemonMetrics({
			state: this.#state(),
			config: this.#settings.config,
			commit: this.#options.build.commit,
			sink: this.#outlets.sink,
			attempts: this.#attempts,
			pending: this.#pending,
		});
	}
}
