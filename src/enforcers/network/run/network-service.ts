/** The network half of the daemon, put together: the thread of nftables, observers, the enforcer and what makes its alerts. */

import type { Config } from "../../../config/model.ts";
import type { HostIdentity } from "../../../report/alert.ts";
import type { Logger } from "../../../report/log.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import { WorkerClient } from "../../../threads/rpc.ts";
import type { RunningEnforcer } from "../../contract/running.ts";
import type { NetworkSent } from "../enforcer.ts";
import { networkPart } from "../model.ts";
import { DriftFilter } from "../observe/drift-filter.ts";
import type { DriftEvent } from "../observe/event.ts";
import type { ListeningSocket } from "../observe/observer-protocol.ts";
import { readUplinks } from "../observe/uplinks.ts";
import { networkReport } from "../report/network-report.ts";
import { StagedTally } from "../report/staged-tally.ts";
import { AccountReader } from "./account-reader.ts";
import { AlertSummaries } from "./alert-summaries.ts";
import { DriftMonitor } from "./drift-monitor.ts";
import { DriftProbe } from "./drift-probe.ts";
import type { EnforcerEvents, EnforcerOptions, EnforcerState } from "./enforcer-options.ts";
import { FlowMonitor } from "./flow-monitor.ts";
import { GraphSource } from "./graph/graph-source.ts";
import { GuestMonitor } from "./guest-monitor.ts";
import { FlowWatch } from "./history/flow-watch.ts";
import type { HistoryCalls } from "./history/history-calls.ts";
import { InvalidWatch } from "./invalid-watch.ts";
import { NetworkEnforcer } from "./network-enforcer.ts";
import { NetworkObservers, unknownChange } from "./network-observers.ts";
import { type NetworkParts, networkSnapshot } from "./network-state.ts";
import { NftClient, type NftClientOptions } from "./nft-client.ts";
import { PacketAlerts } from "./packet-alerts.ts";
import { QuotaKeeper } from "./quota/quota-keeper.ts";
import { SenderMonitor } from "./senders/sender-monitor.ts";
import { RuleUseKeeper } from "./use/rule-use-keeper.ts";

export interface NetworkServiceOptions extends Pick<EnforcerOptions, "policies" | "judge"> {
	/** The settings in force. */
	readonly config: () => Config;
	/** Those of what is to be enforced now, which may wait for a confirmation. */
	readonly enforced: () => Config;
	readonly createWorker: (name: "nft" | "nflog" | "drift" | "history") => Worker;
	/** The thread of nftables ended by itself. */
	readonly gone: (reason: string) => void;
	readonly panic: { reason(): string | null; drifted(event: DriftEvent): boolean };
	/** Whether what is in force may be saved for the next boot. */
	readonly confirmed: () => boolean;
	readonly host: NetworkParts["host"];
	/** The host may have another name. */
	readonly renamed: () => void;
	/** See EnforcerEvents. */
	readonly reloaded: EnforcerEvents["reloaded"];
	readonly sink: AlertSink;
	readonly identity: HostIdentity;
	readonly log: Logger;
}

export class NetworkService implements RunningEnforcer<NetworkSent> {
	readonly name = networkPart.enforcer;
	readonly #options: NetworkServiceOptions;
	readonly #nft: NftClient;
	readonly #enforcer: NetworkEnforcer;
	readonly #observers: NetworkObservers;
	readonly #packetAlerts: PacketAlerts;
	readonly #drift: DriftMonitor;
	readonly #driftProbe: DriftProbe;
	readonly #flows: FlowMonitor;
	readonly #invalid: InvalidWatch;
	readonly #accounts: AccountReader;
	readonly #summaries: AlertSummaries;
	readonly #guests: GuestMonitor;
	readonly #graph: GraphSource;
	readonly #ruleUse: RuleUseKeeper;
	readonly #watch: FlowWatch;
	readonly #quotas: QuotaKeeper;
	readonly #staged = new StagedTally(Date.now);
	readonly #senders: SenderMonitor;

	constructor(options: NetworkServiceOptions) {
		const { createWorker, gone, identity, log, panic, policies, sink } = options;
		this.#options = options;
		const { table, stateDir } = options.config();
		const telling = { sink, identity, log };
		const warn = (message: string) => log.warn(message);
		const used: NftClientOptions["used"] = ({ quotas }) => this.#quotas.used(quotas?.rules ?? []);
		// Once it is known that the plan is in force: before, there is nothing to be repaired.
		const unseen = () => void setTimeout(() => this.#drift.lost(unknownChange(Date.now())), 0);
		this.#nft = new NftClient(createWorker("nft"), gone, { used, unseen });
		this.#quotas = new QuotaKeeper({ stateDir, nft: () => this.#nft, sink, identity, warn });
		this.#packetAlerts = new PacketAlerts(sink, identity);
		this.#ruleUse = new RuleUseKeeper(stateDir, warn);
		const filter = new DriftFilter((event) => this.#drift.changed(event));
		this.#driftProbe = new DriftProbe({
			drift: filter,
			run: (name) => this.#nft.call("probe", { table: name }),
			warn,
		});
		this.#enforcer = new NetworkEnforcer({
			panic: () => panic.reason(),
			config: options.enforced,
			confirmed: options.confirmed,
			policies,
			judge: options.judge,
			nft: this.#nft,
			drift: this.#driftProbe,
			uplinks: () => readUplinks(options.enforced().guests.uplinks),
			events: {
				reloaded: (...outcome) => {
					const { plan, state } = this.#enforcer;
					if (outcome[0] === "applied") {
						this.#staged.began(plan?.staged, state.generation);
						this.#quotas.began(plan?.quotas?.rules ?? []);
						this.#senders.applied();
					}
					options.reloaded(...outcome);
				},
				found: (counters) => {
					this.#packetAlerts.found(counters);
					this.#staged.found(counters);
					this.#ruleUse.uses.found(counters);
				},
				replacing: () => this.#watch.lastLook(),
				repaired: (_event, error, anew) => this.#drift.repaired(error, anew),
				ended: (report) => this.#flows.ended(report),
				warn,
			},
		});
		this.#senders = this.#senderMonitor();
		this.#flows = new FlowMonitor({ table, readmit: () => this.#enforcer.readmit(), ...telling });
		const staysOpen = (event: DriftEvent) => panic.drifted(event);
		this.#drift = new DriftMonitor({ table, enforcer: this.#enforcer, staysOpen, ...telling });
		this.#invalid = new InvalidWatch(sink, identity);
		this.#accounts = new AccountReader(this.#packetAlerts, this.#enforcer, (read, plan) => {
			this.#invalid.take(read);
			this.#ruleUse.take(plan?.rules ?? [], read.counters);
			this.#staged.take(plan?.staged, read.counters);
		});
		this.#summaries = new AlertSummaries(this.#packetAlerts, this.#accounts, this.#enforcer);
		const generation = () => this.#enforcer.state.generation;
		const { config, judge } = options;
		this.#guests = new GuestMonitor({ config, generation, nft: this.#nft, judge, policies });
		this.#graph = new GraphSource({ generation, judge, policies });
		this.#watch = new FlowWatch({
			config: options.enforced,
			generation,
			counts: () => this.#enforcer.state.counts ?? true,
			createClient: () =>
				new WorkerClient<HistoryCalls>("history", createWorker("history"), (reason) => {
					this.#watch.gone(reason);
				}),
			judge,
			policies,
			sink,
			identity,
			warn,
		});
		this.#observers = this.#observersOf(filter);
	}

	get state(): EnforcerState {
		return this.#enforcer.state;
	}

	/** The log reader comes first: no packet that a new rule logs may go unread. */
	async start(): Promise<void> {
		if (this.#options.config().enableNetworkPolicyEnforcer) await this.#observers.start();
	}

	/** Has the policies read, for all enforcers, and puts in force what is for this one. */
	reload(): Promise<void> {
		return this.#enforcer.reload();
	}

	/** See NetworkEnforcer.linksChanged. */
	linksChanged(): Promise<void> {
		return this.#enforcer.linksChanged();
	}

	/** See NetworkEnforcer.letAllPass. */
	letAllPass(): Promise<string> {
		return this.#enforcer.letAllPass();
	}

	/** What it had read itself it puts in force as a job among its others: see NetworkEnforcer. */
	async apply(): Promise<void> {}

	begin(): void {
		this.#summaries.start();
		if (this.#options.config().enableNetworkPolicyEnforcer) this.#watch.start();
		this.#invalid.start(() => this.#accounts.refresh());
		this.#packetAlerts.rulesKnown((id) => this.#enforcer.rule(id));
	}

	async refresh(): Promise<void> {
		await Promise.all([this.#accounts.refresh(), this.#guests.refresh(), this.#quotas.refresh()]);
	}

	report() {
		return networkReport(
			networkSnapshot({
				enforcer: this.#enforcer,
				config: this.#options.config(),
				accounts: this.#accounts,
				packetAlerts: this.#packetAlerts,
				ruleUse: this.#ruleUse,
				drift: this.#drift,
				flows: this.#flows,
				guests: this.#guests,
				graph: this.#graph,
				watch: this.#watch,
				staged: this.#staged,
				quotas: this.#quotas,
				senders: this.#senders,
				host: this.#options.host,
			}),
		);
	}

	get warnings(): readonly string[] {
		const unjudged = this.#guests.seen?.unjudged ?? [];
		return [
			...this.#observers.warnings,
			...this.#flows.warnings,
			...unjudged,
			...this.#watch.warnings,
			...this.#senders.warnings,
		];
	}

	isUrgent(): boolean {
		return false;
	}

	get workers() {
		return { nft: this.#nft };
	}

	async stop(): Promise<void> {
		this.#summaries.stop();
		this.#senders.stop();
		this.#invalid.stop();
		this.#ruleUse.stop();
		await this.#quotas.stop();
		await this.#watch.stop();
		await this.#observers.stop();
		await this.#enforcer.stop();
		this.#driftProbe.stop();
		this.#nft.stop();
	}

	#senderMonitor(): SenderMonitor {
		return new SenderMonitor({
			nft: this.#nft,
			plan: () => this.#enforcer.plan,
			reload: () => this.#enforcer.reload(),
			warn: (message) => this.#options.log.warn(message),
		});
	}

	#observersOf(drift: DriftFilter): NetworkObservers {
		const { config, createWorker, log } = this.#options;
		const { alerts, nflogGroup, table } = config();
		// Where that thread has ended, so has its descriptor.
		const observed = (socket: ListeningSocket | null) =>
			void this.#nft.call("observed", socket).catch(() => {});
		return new NetworkObservers({
			table,
			nflogGroup,
			alertsPerSecond: alerts.perSecond,
			createWorker,
			drift,
			packets: (batch) => {
				this.#flows.take(batch);
				this.#quotas.packets(batch);
				this.#packetAlerts.take(batch, (id) => this.#enforcer.rule(id));
				this.#summaries.wake();
			},
			nflogStarted: () => this.#packetAlerts.workerRestarted(),
			renamed: () => this.#options.renamed(),
			driftReady: (socket) => {
				observed(socket);
				void this.#driftProbe.observing();
			},
			driftEnded: () => observed(null),
			suspect: (event) => this.#drift.lost(event),
			warn: (message) => log.warn(message),
		});
	}
}
