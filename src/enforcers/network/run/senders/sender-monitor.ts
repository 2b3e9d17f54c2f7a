/**
 * Keeps what rules name of senders up to date: numbers of users and groups, which are compiled into the ruleset, and
 * control groups of units, which are told to the ruleset in force. Nothing is looked at where no rule names a sender.
 */

import { type FSWatcher, watch } from "node:fs";
import {
	type AccountFiles,
	accountFiles,
	accountsVersion,
	HostAccounts,
} from "../../../../kernel/senders/accounts.ts";
import { type WorkerClient, WorkerGone } from "../../../../threads/rpc.ts";
import { unitsOf } from "../../apply/service-sets.ts";
import { unitWarnings, unknownSender } from "../../compile/named.ts";
import type { NetworkPlan } from "../../compile/plan.ts";
import type { NamedSender } from "../../compile/sender.ts";
import type { UnitsSeen } from "../../observe/unit-finder.ts";
import type { NetworkSender } from "../../report/network-status.ts";
import type { NftCalls } from "../calls.ts";

/** Milliseconds between two looks at what no event tells of. */
const lookMs = 2000;

/** Directories of units that are watched at most: inotify(7) has few watches for all. */
const mostWatched = 256;

export interface SenderMonitorOptions {
	readonly nft: Pick<WorkerClient<NftCalls>, "call">;
	/** What is in force; null before the first. */
	readonly plan: () => Pick<NetworkPlan, "named" | "services" | "staged"> | null;
	/** Has the policies compiled anew. */
	readonly reload: () => Promise<void>;
	readonly warn: (message: string) => void;
	/** Where users and groups are. */
	readonly accounts?: AccountFiles;
}

export class SenderMonitor {
	readonly #options: SenderMonitorOptions;
	readonly #watchers = new Map<string, FSWatcher>();
	#timer: ReturnType<typeof setInterval> | null = null;
	#version = "";
	#seen: UnitsSeen | null = null;
	#looking = false;
	#again = false;
	#stopped = false;
	#problem = "";
	#warned: readonly string[] = [];
	#warnings: readonly string[] = [];

	constructor(options: SenderMonitorOptions) {
		this.#options = options;
	}

	/** What the operator should know. */
	get warnings(): readonly string[] {
		return [...this.#warnings, ...(this.#seen === null ? [] : unitWarnings(this.#named, this.#seen))];
	}

	/** Every name of the rules in force, with what this host knows of it. */
	get senders(): readonly NetworkSender[] {
		return this.#named.map(({ kind, name, number, users }) => ({
			kind,
			name,
			number: kind === "service" ? null : number,
			controlGroups: kind === "service" ? (this.#seen?.units[name] ?? 0) : null,
			users,
		}));
	}

	get #named(): readonly NamedSender[] {
		return this.#options.plan()?.named ?? [];
	}

	/** Another ruleset is in force. */
	applied(): void {
		if (this.#named.length === 0) this.#rest();
		if (this.#named.length === 0 || this.#stopped) return;
		this.#timer ??= setInterval(() => this.#glance(), lookMs);
		// Once more from here on: what changed while the policies were compiled is seen at the next look.
		this.#version = "";
		this.#glance();
	}

	/** For good: what is applied at the last moment begins nothing any more. */
	stop(): void {
		this.#stopped = true;
		this.#rest();
	}

	#rest(): void {
		if (this.#timer !== null) clearInterval(this.#timer);
		this.#timer = null;
		for (const watcher of this.#watchers.values()) watcher.close();
		this.#watchers.clear();
		this.#seen = null;
		this.#warnings = [];
		this.#warned = [];
	}

	/** One look, and one more where something happened meanwhile. */
	async look(): Promise<void> {
		this.#again = this.#looking;
		if (this.#looking) return;
		this.#looking = true;
		try {
			await this.#currentUnits();
			if (this.#timer !== null) await this.#accounts();
			// Policies that are compiled anew take their time, in which units start.
			if (this.#again && this.#timer !== null) await this.#currentUnits();
		} finally {
			this.#looking = false;
		}
	}

	/** A look that nobody waits for. A thread that has ended is told of elsewhere. */
	#glance(): void {
		this.look().catch((error: Error) => {
			if (!(error instanceof WorkerGone)) this.#options.warn(`who sends is not up to date: ${error.message}`);
		});
	}

	async #currentUnits(): Promise<void> {
		do {
			this.#again = false;
			await this.#units();
		} while (this.#again && this.#timer !== null);
	}

	async #units(): Promise<void> {
		const plan = this.#options.plan();
		if (plan === null || unitsOf(plan).size === 0) return;
		const { error, ...seen } = await this.#options.nft.call("refreshUnits", null);
		if (this.#timer === null) return;
		this.#seen = seen;
		if (error !== "" && error !== this.#problem)
			this.#options.warn(`which units send is not up to date: ${error}`);
		this.#problem = error;
		this.#rewatch(seen.slices);
	}

	/** A unit that starts is known before it has sent much: its control group is made before its process. */
	#rewatch(slices: readonly string[]): void {
		const wanted = new Set(slices.slice(0, mostWatched));
		for (const [path, watcher] of this.#watchers) {
			if (wanted.has(path)) continue;
			watcher.close();
			this.#watchers.delete(path);
		}
		for (const path of wanted) {
			if (this.#watchers.has(path)) continue;
			try {
				const watcher = watch(path, (_, name) => {
					// Attributes of the control group itself change all the time.
					if (name === null || /\.(?:service|slice)$/.test(name)) this.#glance();
				});
				watcher.on("error", () => {
					watcher.close();
					this.#watchers.delete(path);
				});
				this.#watchers.set(path, watcher);
				// What came before the watch had no event.
				this.#again = true;
			} catch {
				// It has gone again, or there are no watches left: the periodic look remains.
			}
		}
	}

	async #accounts(): Promise<void> {
		const files = this.#options.accounts ?? accountFiles;
		const version = accountsVersion(files);
		if (version === this.#version) return;
		const first = this.#version === "";
		this.#version = version;
		const host = new HostAccounts(files);
		const changed = this.#named.some(
			({ kind, name, number }) => kind !== "service" && host.number(kind, name) !== number,
		);
		const telling = this.#named.flatMap((named) => {
			const known = named.kind === "service" ? [] : host.names(named.kind);
			const said = named.number === null ? unknownSender(named, known) : null;
			return said === null ? [] : `${said.message}; ${said.hint}`;
		});
		this.#warnings = telling;
		for (const message of telling) if (!this.#warned.includes(message)) this.#options.warn(message);
		this.#warned = telling;
		if (!changed) return;
		if (!first) this.#options.warn("users or groups that rules name have other numbers now");
		await this.#options.reload();
	}
}
