/**
 * Keeps the kernel's table what the policy directory says: reloads, repairs and the connections that a new Block ends, one job at a time.
 */

import type { Config } from "../../../config/model.ts";
import { WorkerGone } from "../../../threads/rpc.ts";
import type { ApplyResult } from "../apply/apply-result.ts";
import { lacking } from "../apply/probes.ts";
import { type CompiledRule, loggedRules, type NetworkPlan, type RulesetForm } from "../compile/plan.ts";
import { type NetworkSent, withoutObjects } from "../enforcer.ts";
import { ConnectionKeeper } from "../flows/connection-keeper.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { DriftEvent } from "../observe/event.ts";
import { BootSaver } from "./boot-saver.ts";
import { epochPrefix } from "./compile-options.ts";
import type { EnforcerOptions, EnforcerState } from "./enforcer-options.ts";
import { guardRequest } from "./guard-request.ts";
import { RuleMemory } from "./rule-memory.ts";
import { tellUplinks } from "./tell-uplinks.ts";

/** A kernel module may be loaded, a foreign table removed, memory freed: no event tells. */
const retryMs = 30_000;

const finishMs = 1000;

export class NetworkEnforcer {
	readonly #options: EnforcerOptions;
	readonly #boot: BootSaver;
	#state: EnforcerState;
	#form: RulesetForm | null = null;
	#epoch = 0;
	#plan: NetworkPlan | null = null;
	#sent: NetworkSent | null = null;
	#inForce: ReadonlySet<string> = new Set();
	/** The last plan could not be put in force. */
	#failed = false;
	#idle: ReturnType<typeof setTimeout> | null = null;
	/** The table lets everything pass because we opened it. */
	#opened = false;
	/** The table was opened and has not been loaded since. */
	#stale = false;
	/** False while the policy Worker alone knows the last good policies. */
	#saved = true;
	readonly #connections: ConnectionKeeper;
	readonly #rules = new RuleMemory();
	/** The table was made anew since the last repair. */
	#countersAnew = false;
	#wanted: { reload: boolean; repair: DriftEvent | null } = { reload: false, repair: null };
	#working: Promise<void> | null = null;
	#stopped = false;

	constructor(options: EnforcerOptions) {
		this.#options = options;
		this.#boot = new BootSaver({
			config: () => this.#config,
			nft: options.nft,
			confirmed: options.confirmed ?? (() => true),
			warn: (message) => options.events.warn(message),
		});
		const { judge, nft, events } = options;
		this.#connections = new ConnectionKeeper({
			judge,
			nft,
			guestInterfaces: () => this.#config.guests.interfaces,
			ended: (report) => events.ended(report),
			warn: (message) => events.warn(message),
		});
		const enabled = this.#config.enableNetworkPolicyEnforcer;
		this.#state = {
			state: enabled ? "unavailable" : "disabled",
			reason: enabled ? "starting" : "enableNetworkPolicyEnforcer is false",
			generation: 0,
			elements: 0,
		};
	}

	get state(): EnforcerState {
		return this.#state;
	}

	/** What the last reading gave; null before the first. */
	get sent(): NetworkSent | null {
		return this.#sent;
	}

	/** Names of the network policies that the kernel has; those just read get there a moment later. */
	get inForce(): ReadonlySet<string> {
		return this.#inForce;
	}

	/** What is in force; null before the first success. */
	get plan(): NetworkPlan | null {
		return this.#plan;
	}

	/** The rule behind a log prefix, of this generation or a recent one. */
	rule(id: string): CompiledRule | undefined {
		return this.#rules.get(id);
	}

	/** Null when the kernel's counters cannot be read now. */
	async counters(): Promise<Readonly<Record<string, CounterValue>> | null> {
		if (this.#state.state !== "active" && this.#state.state !== "open") return null;
		return this.#options.nft.call("counters", null);
	}

	/** Reads the policies again and enforces them. Requests that come while one is under way become one. */
	reload(): Promise<void> {
		this.#wanted.reload = true;
		return this.#work();
	}

	/** Somebody else changed our table: closes what must be closed at once, then puts everything back. */
	repair(event: DriftEvent): Promise<void> {
		this.#wanted.repair ??= event;
		// At once, whatever is under way: that may take seconds, and packets pass meanwhile.
		void this.#guard(event).catch((error: Error) => this.#options.events.warn(error.message));
		return this.#work();
	}

	/** Lets everything pass at once where `panic` says so, not after the jobs that wait. "" or why it is not open. */
	async letAllPass(): Promise<string> {
		await (this.#form === null ? this.reload() : this.#keepOpen());
		return ["open", "disabled"].includes(this.#state.state) ? "" : this.#state.reason;
	}

	get #config(): Config {
		return this.#options.config();
	}

	#work(): Promise<void> {
		this.#working ??= this.#drain().finally(() => {
			this.#working = null;
			// A request that came after the last look and before this line: who made it waits for this promise.
			const more = !this.#stopped && (this.#wanted.reload || this.#wanted.repair);
			return more ? this.#work() : undefined;
		});
		return this.#working;
	}

	async #drain(): Promise<void> {
		if (this.#idle !== null) clearTimeout(this.#idle);
		this.#idle = null;
		while (!this.#stopped && (this.#wanted.reload || this.#wanted.repair)) {
			const wanted = this.#wanted;
			this.#wanted = { reload: false, repair: null };
			if (wanted.repair) await this.#repair(wanted.repair);
			else await this.#reload(null);
		}
		if (!this.#stopped) this.#rest();
	}

	async #repair(event: DriftEvent): Promise<void> {
		const error = await this.#reload(event.time);
		this.#options.events.repaired(event, error, this.#countersAnew);
		this.#countersAnew = false;
	}

	/** Drops what was in force to drop, coarsely, until the repair is through. */
	async #guard({ changes }: DriftEvent): Promise<void> {
		if (this.#stopped || this.#plan === null || this.#options.panic() !== null) return;
		const guarded = await this.#options.nft.call("guard", guardRequest(this.#plan, changes));
		if (!guarded.ok) this.#options.events.warn(`the guard could not be loaded: ${guarded.error}`);
		else if (guarded.anew === true) this.#countersAnew = true;
	}

	/** Returns "" or why the ruleset is not in force. @param changed when somebody else changed the table, or null. */
	async #reload(changed: number | null): Promise<string> {
		const { events, policies } = this.#options;
		if (this.#form === null && this.#config.enableNetworkPolicyEnforcer) await this.#openLibrary();
		if (!(await this.#keepOpen())) await this.#close();
		const distrust = changed !== null || this.#stale;
		if (distrust || this.#epoch === 0) this.#epoch += 1;
		// Before the thread that compiled knows other policies. A repair does not wait for it.
		const looked = this.#plan && events.replacing();
		if (changed === null) await looked;
		const read = policies.read({
			epoch: `${epochPrefix}${this.#epoch.toString(36)}`,
			form: this.#form ?? "concatenated",
			...lacking(this.#state),
		});
		const sent = await read.catch((error: Error) =>
			error instanceof WorkerGone ? Promise.reject(error) : error,
		);
		if (sent instanceof Error) {
			// A bug that one set of policies brings out must not end the daemon again and again.
			events.warn(`a bug in reading policies: ${sent.message}`);
			const reason = `the policies could not be compiled: ${sent.message.split("\n", 1)[0]}`;
			if (this.#form === null) return reason;
			this.#failed = true;
			if (this.#plan === null || distrust) this.#unavailable(reason);
			events.reloaded("failed", null, reason);
			return reason;
		}
		this.#sent = withoutObjects(sent);
		if (this.#form === null) {
			// Where nothing else puts policies in force, this is as far as those for devices get here.
			if (!this.#config.enableNetworkPolicyEnforcer) {
				await this.#boot.save(null, policies.bootFacts());
				await this.#keep();
			}
			return this.#state.reason;
		}
		if (await this.#keepOpen()) return "";
		if (!sent.plan) {
			if (this.#plan === null)
				this.#unavailable("the set of policies was refused, and none was in force before");
			events.reloaded("refused", null, "the set of policies was refused; what was in force stays");
			return "the set of policies was refused";
		}
		// What connection tracking forgot meanwhile would meet the rules as new.
		if (distrust || this.#plan === null) await this.#connections.adopt();
		return this.#apply(sent.plan, distrust, changed);
	}

	/**
	 * Packets of connections that connection tracking does not know were dropped: enters those that the policies let
	 * pass, so that what is sent again gets through.
	 */
	async readmit(): Promise<void> {
		if (this.#state.state !== "active" || this.#stopped) return;
		if (!(await this.#connections.adopt())) await this.reload();
	}

	/**
	 * The links or routes of this host are others than before: tells the ruleset in force which bridges lead to other
	 * hosts now, and has it compiled anew where that changed, for the guard and the next boot.
	 */
	async linksChanged(): Promise<void> {
		if (!this.#stopped && (await this.#setUplinks())) await this.reload();
	}

	async #setUplinks(): Promise<boolean> {
		const before = this.#plan;
		const told = await tellUplinks(before, this.#options);
		if (told !== null && this.#plan === before) this.#plan = told;
		return told !== null;
	}

	async #openLibrary(): Promise<void> {
		const { table, rulesetForm } = this.#config;
		const opened = await this.#options.nft.call("open", { table, form: rulesetForm });
		if (!opened.ok) {
			this.#unavailable(opened.remedy === "" ? opened.reason : `${opened.reason}; ${opened.remedy}`);
			return;
		}
		await this.#options.drift.opened();
		const counters = (await this.#options.nft.call("counters", null)) ?? {};
		this.#options.events.found(counters);
		await this.#connections.opened(Object.keys(counters));
		this.#form = opened.form;
		this.#state = { ...this.#state, ...lacking(opened) };
	}

	async #apply(plan: NetworkPlan, distrust: boolean, changed: number | null): Promise<string> {
		const { events, nft } = this.#options;
		// Known before the first packet can carry their ids.
		for (const rule of loggedRules(plan)) this.#rules.add(rule, this.#plan?.rules.length ?? 0);
		const started = performance.now();
		const result: ApplyResult = await nft.call("apply", { plan, distrust });
		this.#options.policies.delivered();
		// It may have come to stand while the plan was loading.
		if (await this.#keepOpen()) return "";
		this.#failed = !result.ok;
		const seconds = (performance.now() - started) / 1000;
		if (!result.ok) {
			// A refused plan leaves the one before in force; a foreign table leaves nothing of ours.
			if (this.#plan === null || result.reason === "foreign" || distrust) this.#unavailable(result.error);
			events.reloaded("failed", null, result.error);
			return result.error;
		}
		if (result.unadopted !== undefined) events.warn(`open connections may stall: ${result.unadopted}`);
		this.#plan = { ...plan, objects: [] };
		this.#inForce = new Set(this.#sent?.policies);
		// They may have changed while the plan was made.
		await this.#setUplinks();
		this.#opened = false;
		this.#stale = false;
		this.#state = {
			...this.#state,
			state: "active",
			reason: "",
			generation: this.#state.generation + 1,
			elements: plan.elements,
		};
		events.reloaded("applied", seconds, `${result.loaded} objects loaded`);
		// Each on its own thread: neither may wait for the other, whose time grows with the host's connections or rules.
		await Promise.all([
			this.#connections.settle(plan, {
				repairs: changed,
				endRefused: this.#config.endRefusedAtStart,
			}),
			this.#boot.save(this.#form, this.#options.policies.bootFacts()),
		]);
		const garbage = await nft.call("collect", null);
		if (garbage !== "") events.warn(`old objects stay in the table for now: ${garbage}`);
		await this.#keep();
		return "";
	}

	/** Opens the table while panic-open stands, which it returns. */
	async #keepOpen(): Promise<boolean> {
		const reason = this.#options.panic();
		if (reason === null || this.#form === null) return false;
		this.#opened = true;
		this.#stale = true;
		const result = await this.#options.nft.call("openTable", null);
		if (result.ok) this.#state = { ...this.#state, state: "open", reason };
		else this.#unavailable(`panic-open stands, but the table could not be opened: ${result.error}`);
		return true;
	}

	/** What the table still holds is in force again before the policies are read: they may be broken by now. */
	async #close(): Promise<void> {
		if (!this.#opened) return;
		const result = await this.#options.nft.call("closeTable", null);
		this.#opened = !result.ok;
		if (!result.ok)
			this.#options.events.warn(`the table is open until the policies are read: ${result.error}`);
		else if (this.#plan) this.#state = { ...this.#state, state: "active", reason: "" };
		else this.#unavailable("the policies are being read");
	}

	async #keep(): Promise<void> {
		const { events, policies } = this.#options;
		const unsaved = await policies.keep();
		this.#saved = unsaved === null;
		if (unsaved !== null) events.warn(`the last good policies could not be saved: ${unsaved}`);
	}

	/** Tries again what failed; else the policies may rest. */
	#rest(): void {
		if (this.#state.state === "unavailable" || this.#failed || this.#boot.failed) {
			this.#idle = setTimeout(() => void this.reload(), retryMs);
			return;
		}
		if (this.#saved) this.#options.policies.rest();
	}

	/** Begins nothing any more. What is in force is still kept and saved, if that takes no longer than `finishMs`. */
	async stop(): Promise<void> {
		this.#stopped = true;
		if (this.#idle !== null) clearTimeout(this.#idle);
		await Promise.race([this.#working?.catch(() => {}), Bun.sleep(finishMs)]);
	}

	#unavailable(reason: string): void {
		this.#state = { ...this.#state, state: "unavailable", reason };
	}
}
