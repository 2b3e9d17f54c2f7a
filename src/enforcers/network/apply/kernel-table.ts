/**
 * Our table in the kernel: which objects it holds, and the three steps from
 * one plan to the next. It owns no thread and no library; the kernel is given.
 */

import type { Config } from "../../../config/model.ts";
import { type Command, deleteTable } from "../../../kernel/nftables/commands.ts";
import type { NftKernel, Outcome } from "../../../kernel/nftables/kernel.ts";
import type { NetworkPlan, RulesetForm } from "../compile/plan.ts";
import type { BaseName } from "../names.ts";
import {
	type ApplyResult,
	type CloseResult,
	type Failure,
	foreignTable,
	type OpenResult,
	refused,
} from "./apply-result.ts";
import { assertBaseChains, baseNames, dropBases, moveBases, newBases } from "./base-chains.ts";
import { isComplete } from "./completeness.ts";
import { deleteParts } from "./delete-parts.ts";
import { hasAny, inPlace, type Loaded, loadedAs, staleNames, withUplinks } from "./in-place.ts";
import { loadObjects } from "./load-objects.ts";
import { type Looked, lookAt, type TableState } from "./look.ts";
import { type MutedPort, replaceMuted } from "./muted-ports.ts";
import { openBaseChains } from "./open-table.ts";
import { probeForm } from "./probes.ts";
import { type CutFlow, replaceRefused } from "./refused-flows.ts";
import { type FindControlGroups, noControlGroups, UnitSets } from "./service-sets.ts";
import {
	collectGarbage,
	type GuardedPlan,
	guard,
	ifAbsent,
	ifOurs,
	type LedPlan,
	leadAlike,
	ledBy,
	skeleton,
	swap,
} from "./transaction.ts";
import { replaceUplinks } from "./uplinks.ts";
import { type UsedQuotas, withUsed } from "./used-quotas.ts";

/** Tells connection tracking of the connections that are open; returns "", or why it could not. */
export type AdoptConnections = () => string;

export class KernelTable {
	readonly #kernel: NftKernel;
	readonly #table: string;
	readonly #adopt: AdoptConnections;
	readonly #units: UnitSets;
	readonly #run = (...commands: readonly Command[]): Outcome => this.#kernel.run(this.#table, commands);
	#anew = false;
	/** The kernel's number of the table that was ours when we looked last; no other table of the name gets it. */
	#handle: number | null = null;
	/** Names that we loaded and still trust; null when the kernel may hold anything. */
	#known: Set<string> | null = null;
	#inForce: LedPlan | null = null;
	#used: UsedQuotas = {};
	/** The plan that was brought into force last, as long as nobody else changed the table. */
	#loaded: Loaded | null = null;
	/** Names of what is left of earlier plans that say something else. */
	#stale: readonly string[] = [];

	/**
	 * @param adopt called before a packet meets the first ruleset of a host that had none.
	 * @param find tells the control groups of the units that rules name.
	 */
	constructor(
		kernel: NftKernel,
		table: string,
		adopt: AdoptConnections = () => "",
		find: FindControlGroups = noControlGroups,
	) {
		this.#units = new UnitSets(find, this.#run);
		this.#kernel = kernel;
		this.#table = table;
		this.#adopt = adopt;
	}

	/** Whether the last guard found no table, or had to make it anew, so that its counters began at zero. */
	get anew(): boolean {
		return this.#anew;
	}

	/** See probeForm. */
	probe(wanted: Config["rulesetForm"] = "auto"): RulesetForm {
		return probeForm(this.#kernel, `${this.#table}_probe`, wanted);
	}

	/**
	 * Whose table it is. A failing listing is an error text. Where somebody took our marker away it is put back: the
	 * table is known by its number, by our other chains, or by being an empty one in the place of ours.
	 */
	inspect(): { ok: true; state: TableState } | { ok: false; error: string } {
		const looked = this.#look();
		return looked.ok ? { ok: true, state: looked.state } : looked;
	}

	#look(): Looked {
		const looked = lookAt(this.#kernel, this.#table, this.#handle, this.#inForce !== null);
		if (looked.ok && looked.state === "ours") this.#handle = looked.handle ?? null;
		return looked;
	}

	/**
	 * Forgets what was loaded, because somebody else changed the table. The next
	 * `apply` must bring a plan of a new epoch: its names are then certainly new.
	 */
	distrust(): void {
		this.#known = null;
	}

	/**
	 * What can be done in milliseconds after somebody changed the table: where it is gone or has lost rules, drops what
	 * the default posture and the Blocks say, and otherwise leads packets past what was put before ours.
	 */
	guard(plan: GuardedPlan, lostRules: boolean): ApplyResult {
		this.#known = null;
		const inspected = this.#look();
		if (!inspected.ok) return refused(inspected.error);
		if (inspected.state === "foreign") return foreignTable(this.#table);
		const only = [this.#only(inspected.state), ...dropBases(inspected.misplaced)];
		const inForce = inspected.state === "ours" && !lostRules ? this.#inForce : null;
		this.#anew = inspected.state === "absent";
		if (inForce !== null) {
			const led = [...swap(inForce), ...assertBaseChains(baseNames(inForce))];
			if (this.#run(...only, ...led).ok) return { ok: true, loaded: 0 };
		}
		const guarded = guard(plan);
		const result = this.#run(...only, ...guarded);
		if (result.ok) return { ok: true, loaded: 0 };
		if (inspected.state === "absent") return refused(result.error);
		// Something of ours was replaced by another thing of its name, which only goes with the table.
		const remade = this.#run(ifOurs, deleteTable, ifAbsent, ...guarded);
		this.#anew = remade.ok;
		return remade.ok ? { ok: true, loaded: 0 } : refused(result.error);
	}

	/**
	 * Makes `plan` what packets meet, without a packet in between that meets neither the old nor the new.
	 * @param used what quotas begin with that the kernel does not have yet
	 */
	apply(plan: NetworkPlan, used: UsedQuotas = {}): ApplyResult {
		const known = this.#known;
		this.#used = used;
		const tangled = this.#isTangled(plan);
		if (known === null) return tangled ? this.replace(plan, used) : this.#applyWhole(plan);
		const [before, loaded] = [this.#inForce, this.#loaded];
		const led = loaded === null ? before : ledBy(loaded.plan);
		if (led !== null && leadAlike(led, plan)) return { ok: true, loaded: 0 };
		const changed = loaded && this.#change(loaded, plan);
		if (changed !== null) return changed;
		if (loaded !== null && tangled) return this.#untangle(loaded, known, plan);
		const activate = [...swap(plan, before), ...assertBaseChains(newBases(before, plan))];
		const result = this.#step(plan, known, [ifOurs], activate);
		if (result.ok || result.reason === "foreign") return result;
		// The kernel no longer holds what we think it does, or it refuses the plan: only a whole load tells which.
		this.#known = null;
		return this.#applyWhole(plan);
	}

	/** Changes elements of large sets where these alone are others; null where more is, or it cannot be done so. */
	#change(loaded: Loaded, plan: NetworkPlan): ApplyResult | null {
		const place = this.#kernel.change === undefined ? null : inPlace(loaded, plan);
		const changed = place && (this.#kernel.change?.(this.#table, [ifOurs], place.changes) ?? null);
		if (place === null || changed === null) return null;
		this.#loaded = { plan, names: place.names };
		// Nobody knows what the sets hold now.
		if (!changed.ok) return this.replace(plan, this.#used);
		return { ok: true, loaded: place.changes.length };
	}

	/** Whether objects of the plan have the names of others whose elements were changed in place since. */
	#isTangled(plan: NetworkPlan): boolean {
		return hasAny(plan, [...this.#stale, ...staleNames(this.#loaded)]);
	}

	/** Loads what is in force under its own names before what needs the names that it has now. */
	#untangle(loaded: Loaded, known: ReadonlySet<string>, plan: NetworkPlan): ApplyResult {
		const left = this.collect();
		if (left !== "") return refused(left);
		if (!this.#isTangled(plan)) return this.apply(plan, this.#used);
		const right = known.difference(new Set(staleNames(loaded)));
		const again = this.#step(loaded.plan, right, [ifOurs], swap(loaded.plan, this.#inForce));
		return again.ok ? this.apply(plan, this.#used) : this.replace(plan, this.#used);
	}

	/**
	 * Lets every packet pass, in one transaction, whoever loaded the table; nothing of it is deleted. The next
	 * `apply` must bring a plan of a new epoch, and closes it again. `opened` is false where there is no table.
	 */
	letAllPass(): OpenResult {
		this.#known = null;
		const inspected = this.#look();
		if (!inspected.ok) return refused(inspected.error);
		if (inspected.state === "absent") return { ok: true, opened: false };
		if (inspected.state === "foreign") return foreignTable(this.#table);
		const result = this.#run(ifOurs, ...dropBases(inspected.misplaced), ...openBaseChains(inspected.bases));
		return result.ok ? { ok: true, opened: true } : refused(result.error);
	}

	/** Undoes `letAllPass`: leads packets to the rules that the table still holds. `closed` is false without a table. */
	close(): CloseResult {
		const inspected = this.#look();
		if (!inspected.ok) return refused(inspected.error);
		if (inspected.state === "absent") return { ok: true, closed: false };
		if (inspected.state === "foreign") return foreignTable(this.#table);
		const names = new Set<BaseName>([...baseNames({}), ...inspected.bases]);
		const result = this.#run(ifOurs, ...dropBases(inspected.misplaced), ...assertBaseChains([...names]));
		return result.ok ? { ok: true, closed: true } : refused(result.error);
	}

	/** Whether packets meet a ruleset in the table. */
	isComplete(): boolean {
		return isComplete(this.#kernel, this.#table);
	}

	/**
	 * Like `apply`, for a table of ours that may hold anything, objects of the plan's names included: it is closed,
	 * emptied of everything but counters, and loaded.
	 */
	replace(plan: NetworkPlan, used: UsedQuotas = {}): ApplyResult {
		const { objects, failsafe } = plan;
		const closed = this.guard(
			{ ...ledBy(plan), defaultDrop: { ingress: true, egress: true }, failsafe },
			true,
		);
		if (!closed.ok) return closed;
		const listed = this.#kernel.list(this.#table);
		if (!listed.ok) return refused(listed.error);
		const counters = objects.filter((object) => object.kind === "counter").map((object) => object.name);
		const { listing } = listed;
		const emptied = deleteParts(this.#run, listing && collectGarbage(listing, new Set(counters), plan));
		if (!emptied.ok) return refused(emptied.error);
		[this.#loaded, this.#stale] = [null, []];
		return this.apply(plan, used);
	}

	/**
	 * Replaces the ended flows and the ports that must not speak first. Where the kernel cannot take the ports, the
	 * flows are refused all the same.
	 */
	cut(
		flows: readonly CutFlow[],
		muted: readonly MutedPort[] = [],
	): { ok: true } | { ok: false; error: string } {
		const refuse = [ifOurs, ...replaceRefused(flows)];
		const whole = this.#run(...refuse, ...replaceMuted(muted));
		if (whole.ok) return { ok: true };
		const result = this.#run(...refuse);
		if (!result.ok) return { ok: false, error: result.error };
		return muted.length === 0 ? { ok: true } : { ok: false, error: whole.error };
	}

	/** Tells the ruleset in force of other uplinks. What knows none, as nothing that is forwarded is judged, stays as it is. */
	setUplinks(names: readonly string[]): Outcome {
		const inForce = this.#inForce;
		if (inForce?.forward === undefined || Bun.deepEquals(inForce.forward.uplinks, names)) return { ok: true };
		const result = this.#run(ifOurs, ...replaceUplinks(names));
		if (!result.ok) return result;
		this.#inForce = { ...inForce, forward: { ...inForce.forward, uplinks: names } };
		this.#loaded &&= withUplinks(this.#loaded, names);
		return result;
	}

	/** Tells the ruleset in force of the control groups that its units have now. */
	refreshUnits(): Outcome {
		return this.#inForce === null ? { ok: true } : this.#units.fill(this.#inForce);
	}

	/** Removes our table; true when there was one. */
	remove(): { ok: true; removed: boolean } | Failure {
		const inspected = this.#look();
		if (!inspected.ok) return refused(inspected.error);
		if (inspected.state === "absent") return { ok: true, removed: false };
		if (inspected.state === "foreign") return foreignTable(this.#table);
		const result = this.#run(ifOurs, deleteTable);
		return result.ok ? { ok: true, removed: true } : refused(result.error);
	}

	#applyWhole(plan: NetworkPlan): ApplyResult {
		const inspected = this.#look();
		if (!inspected.ok) return refused(inspected.error);
		if (inspected.state === "foreign") return foreignTable(this.#table);
		for (const commands of moveBases(inspected.misplaced)) {
			const moved = this.#run(ifOurs, skeleton, ...commands);
			if (!moved.ok) return refused(moved.error);
		}
		const activate = [...swap(plan), ...assertBaseChains(baseNames(plan))];
		const first = inspected.state === "absent" && this.#inForce === null;
		if (inspected.state === "absent" && !first) {
			// It was taken away just now, and loading what a plan has may take seconds.
			const guarded = this.guard(plan, true);
			if (!guarded.ok) return guarded;
		}
		const prepare = [this.#only(first ? "absent" : "ours"), skeleton];
		return this.#step(plan, new Set(), prepare, activate, first);
	}

	/** What begins a transaction that is right only while the table is as it was found. */
	#only(state: "absent" | "ours"): Command {
		return state === "absent" ? ifAbsent : ifOurs;
	}

	#step(
		plan: NetworkPlan,
		present: ReadonlySet<string>,
		prepare: readonly Command[],
		activate: readonly Command[],
		first = false,
	): ApplyResult {
		const missing = plan.objects
			.filter((object) => !present.has(object.name))
			.map((object) => withUsed(object, this.#used));
		const loaded = loadObjects(this.#run, missing, prepare, this.#kernel.room);
		if (!loaded.ok) return refused(loaded.error);
		const filled = this.#units.fill(plan, true);
		if (!filled.ok) return refused(filled.error);
		// The loaded rules have switched connection tracking on, so no connection comes up unseen from here.
		const unadopted = first ? this.#adopt() : "";
		const activated = this.#run(ifOurs, ...activate);
		if (!activated.ok) return refused(activated.error);
		this.#known = new Set(plan.objects.map((object) => object.name));
		this.#inForce = ledBy(plan);
		this.#stale = [...this.#stale, ...staleNames(this.#loaded)];
		this.#loaded = loadedAs(plan);
		return {
			ok: true,
			loaded: missing.length,
			...(unadopted === "" ? {} : { unadopted }),
		};
	}

	/**
	 * Deletes what is left of earlier plans, which no packet meets any more. "", or why something could not be
	 * deleted: it does no harm and is tried again the next time.
	 */
	collect(): string {
		const keep = this.#known;
		if (keep === null || this.#inForce === null) return "";
		const listed = this.#kernel.list(this.#table);
		if (!listed.ok) return listed.error;
		if (listed.listing === null) return "the table has gone";
		const deleted = deleteParts(this.#run, collectGarbage(listed.listing, keep, this.#inForce));
		if (deleted.ok) this.#stale = [];
		return deleted.ok ? "" : deleted.error;
	}
}
