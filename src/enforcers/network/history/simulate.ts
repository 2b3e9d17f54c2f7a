/** What a set of policies would have made of the flows that were seen. */

import type { Direction } from "../../../base/model.ts";
import type { CompiledRule } from "../compile/plan.ts";
import { guestModel, type NetworkModel, type Verdict } from "../compile/program.ts";
import { unasked } from "./anyway.ts";
import { FlowJudge } from "./flow-judge.ts";
import { type FlowJson, flowJson, type SeenFlow, type SeenHistory } from "./seen-flow.ts";

/** The two ways in which a flow can fare otherwise than it did. */
export type FlowChange = "wouldBlock" | "wouldAllow";

/** The flows that one rule makes fare otherwise. */
export interface SimulatedRule {
	/** Null: no rule matches, and no allow-list is in force. */
	readonly policy: string | null;
	readonly direction: Direction;
	/** Null for what no rule of a policy decides. */
	readonly index: number | null;
	readonly change: FlowChange;
	/** Flows. */
	readonly count: number;
	/** Those among them of which some addresses alone would fare otherwise: they were merged into a block. */
	readonly partly: number;
	/** The newest. */
	readonly example: SeenFlow;
}

export interface Simulation {
	readonly since: number;
	readonly flows: number;
	readonly wouldBlock: number;
	readonly wouldAllow: number;
	readonly unchanged: number;
	/** Those of which it cannot be told, as it hangs on who sent them; absent where there are none. */
	readonly untold?: number;
	/** Those that would block first, by falling count. */
	readonly rules: readonly SimulatedRule[];
}

/** @param essentials the setting of this name */
export function simulateFlows(
	{ since, flows }: SeenHistory,
	model: NetworkModel,
	essentials: boolean,
): Simulation {
	const forwarded = guestModel(model);
	const host = new FlowJudge(model);
	const guests = forwarded === null ? null : new FlowJudge(forwarded);
	const rules = new Map<CompiledRule | Direction, Partial<Record<FlowChange, Counted>>>();
	const totals = { wouldBlock: 0, wouldAllow: 0, unchanged: 0 };
	let untold = 0;
	for (const flow of flows) {
		const judge = flow.hook === "forward" ? guests : host;
		if (judge?.hangsOnSender(flow) && unasked(flow, essentials) === null) {
			untold += 1;
			continue;
		}
		const found = judge === null ? null : changeOf(flow, judge);
		if (found === null || unasked(flow, essentials) !== null) {
			totals.unchanged += 1;
			continue;
		}
		const { change, verdict, partly } = found;
		totals[change] += 1;
		const key = verdict.rule ?? flow.direction;
		const known = rules.get(key) ?? {};
		rules.set(key, known);
		const counted = known[change] ?? { rule: verdict.rule, count: 0, partly: 0, example: flow };
		known[change] = counted;
		counted.count += 1;
		if (partly) counted.partly += 1;
		if (flow.lastSeen > counted.example.lastSeen) counted.example = flow;
	}
	const list = [...rules.values()].flatMap((known) =>
		(["wouldBlock", "wouldAllow"] as const).flatMap((change) => {
			const counted = known[change];
			return counted === undefined ? [] : [told(change, counted)];
		}),
	);
	return {
		since,
		flows: flows.length,
		...totals,
		...(untold === 0 ? {} : { untold }),
		rules: list.sort(inOrder),
	};
}

interface Counted {
	readonly rule: CompiledRule | null;
	count: number;
	partly: number;
	example: SeenFlow;
}

function changeOf(
	flow: SeenFlow,
	judge: FlowJudge,
): { readonly change: FlowChange; readonly verdict: Verdict; readonly partly: boolean } | null {
	const { passes, blocked } = judge.judge(flow);
	const verdict = flow.action === "Block" ? passes : blocked;
	if (verdict === null) return null;
	const change = flow.action === "Block" ? "wouldAllow" : "wouldBlock";
	return { change, verdict, partly: passes !== null && blocked !== null };
}

function told(change: FlowChange, { rule, count, partly, example }: Counted): SimulatedRule {
	const index = rule === null || rule.index < 0 ? null : rule.index;
	return {
		policy: rule?.policy ?? null,
		direction: example.direction,
		index,
		change,
		count,
		partly,
		example,
	};
}

function inOrder(a: SimulatedRule, b: SimulatedRule): number {
	if (a.change !== b.change) return a.change === "wouldBlock" ? -1 : 1;
	if (a.count !== b.count) return b.count - a.count;
	const [x, y] = [a, b].map(({ policy, direction, index }) => `${direction} ${policy ?? ""} ${index ?? -1}`);
	return (x ?? "") < (y ?? "") ? -1 : 1;
}

export interface SimulationJson extends Omit<Simulation, "since" | "flows" | "rules"> {
	readonly since: string;
	readonly rules: readonly (Omit<SimulatedRule, "example"> & { readonly example: FlowJson })[];
}

export function simulationJson({
	since,
	wouldBlock,
	wouldAllow,
	unchanged,
	untold,
	rules,
}: Simulation): SimulationJson {
	return {
		since: new Date(since).toISOString(),
		wouldBlock,
		wouldAllow,
		unchanged,
		...(untold === undefined ? {} : { untold }),
		rules: rules.map(({ example, ...rule }) => ({ ...rule, example: flowJson(example) })),
	};
}
