/** From the flows that were seen to the blocks of addresses that rules are to allow, and to what stays out, each with its reason. */

import { postureName } from "../../../../base/model.ts";
import { protocolFits } from "../../../../base/protocol.ts";
import { passesAnyway } from "../anyway.ts";
import type { SeenFlow } from "../seen-flow.ts";
import {
	type Candidate,
	candidateText,
	compareBlocks,
	compareTexts,
	interfaceOf,
	isNameable,
	isWritable,
	type Service,
	serviceOf,
	serviceText,
} from "./candidate.ts";
import type { Chosen, Learnt, LeftOut, Recommendation, RecommendOptions, Remembered } from "./model.ts";
import { Place, type Total } from "./place.ts";
import { findScans } from "./scans.ts";

/** Why a flow is no candidate, whatever others do; null where it may be one. `refused`: nor may a wider block let it in. */
type Fault = { readonly reason: string; readonly refused: boolean; readonly candidate: boolean } | null;

/** The same flows give the same answer, in whatever order they come. @param remembered what an earlier run, or an operator, decided */
export function recommendFlows(
	unordered: readonly SeenFlow[],
	options: RecommendOptions,
	remembered: readonly Remembered[],
): Recommendation {
	const flows = inOrder(unordered);
	const scans = findScans(flows);
	const totals = totalsOf(flows);
	const places = new Map<string, Place>();
	const placeOf = (service: Service, name: string | null): Place => {
		const key = `${serviceText(service)} on ${name ?? ""}`;
		const known = places.get(key) ?? new Place(service, name, options);
		places.set(key, known);
		return known;
	};
	const faults = new Map<SeenFlow, Fault>();
	for (const flow of flows) {
		const total = totals.get(candidateText(candidateOf(flow)));
		const fault = faultOf(flow, scans, total, options);
		faults.set(flow, fault);
		if (total === undefined || fault?.candidate === false) continue;
		const place = placeOf(serviceOf(flow), interfaceOf(flow));
		if (fault === null) place.see(total);
		else if (fault.refused) place.refuse(flow.remote);
	}
	for (const { candidate, state, evidence } of remembered) {
		if (state === "Set") placeOf(candidate.service, candidate.interface).ask(candidate, evidence);
	}
	for (const place of places.values()) {
		for (const { candidate, state } of remembered) if (state === "Ignore") place.ignore(candidate);
		place.settle();
	}
	const included = new Map<SeenFlow, Candidate>();
	const leftOut: LeftOut[] = [];
	for (const flow of flows) {
		const own = placeOf(serviceOf(flow), interfaceOf(flow));
		const fault = faults.get(flow) ?? null;
		const anywhere = places.get(`${serviceText(serviceOf(flow))} on `);
		const candidate = fault?.candidate === false ? null : (own.take(flow) ?? anywhere?.take(flow) ?? null);
		if (candidate !== null) included.set(flow, candidate);
		else leftOut.push({ flow, reason: fault?.reason ?? own.whyNot(flow) });
	}
	return {
		services: servicesOf([...places.values()]),
		included,
		leftOut,
		learnt: learntOf(leftOut, faults, totals, [...places.values()]),
	};
}

function candidateOf(flow: SeenFlow): Candidate {
	return { service: serviceOf(flow), interface: interfaceOf(flow), block: flow.remote };
}

/** What is known of each candidate as it was seen, in no wider block. */
function totalsOf(flows: readonly SeenFlow[]): ReadonlyMap<string, Total> {
	const totals = new Map<string, Total>();
	for (const flow of flows) {
		const key = candidateText(candidateOf(flow));
		const known = totals.get(key);
		const newest = known?.newest;
		totals.set(key, {
			block: flow.remote,
			// What was blocked first and passes now has passed so often as it passed.
			count: (known?.count ?? 0) + (flow.action === "Block" ? 0 : flow.count),
			newest: newest === undefined || isNewer(flow, newest) ? flow : newest,
		});
	}
	return totals;
}

/** Of two at the same time the blocked one counts. */
function isNewer(flow: SeenFlow, than: SeenFlow): boolean {
	if (flow.lastSeen !== than.lastSeen) return flow.lastSeen > than.lastSeen;
	return flow.action === "Block" || (than.action !== "Block" && isTold(flow));
}

/** A policy wants to be told of it, or would block it but for `enforcement: audit`. */
function isTold({ action, policy }: SeenFlow): boolean {
	return action === "Audit" && policy !== postureName;
}

function faultOf(
	flow: SeenFlow,
	scans: ReadonlyMap<SeenFlow, string>,
	total: Total | undefined,
	{ model, essentials }: RecommendOptions,
): Fault {
	const needless = passesAnyway(flow, model, essentials);
	if (needless !== null)
		return { reason: `${needless}, and needs no rule`, refused: false, candidate: false };
	const link = interfaceOf(flow);
	if (link !== null && !isWritable(link)) {
		const reason = "no rule can name its interface";
		return { reason, refused: false, candidate: false };
	}
	if (!protocolFits(flow.protocol, flow.remote.family)) {
		const reason = "no rule is asked about this protocol in this family";
		return { reason, refused: false, candidate: false };
	}
	if (!isNameable(flow.remote)) {
		const reason = "no rule can name its address, which is IPv4-mapped";
		return { reason, refused: false, candidate: false };
	}
	const scan = scans.get(flow);
	if (scan !== undefined) return { reason: scan, refused: true, candidate: true };
	const { action, policy } = total?.newest ?? flow;
	if (action === "Block") {
		const reason = `was blocked, last by ${policy ?? "a policy that is gone"}`;
		return { reason, refused: true, candidate: true };
	}
	if (total !== undefined && isTold(total.newest)) {
		const reason = `was let through and told, last by ${policy ?? "a policy that is gone"}: an Allow would silence that`;
		return { reason, refused: true, candidate: true };
	}
	return null;
}

/** The order of reports: by candidate, then by what happened. */
function inOrder(flows: readonly SeenFlow[]): readonly SeenFlow[] {
	const keyed = flows.map((flow) => ({
		flow,
		service: serviceText(serviceOf(flow)),
		rest: `${flow.interface}\0${flow.action}\0${flow.policy}\0${flow.guest?.value ?? ""}\0${flow.firstSeen}\0${flow.lastSeen}\0${flow.count}`,
	}));
	keyed.sort(
		(a, b) =>
			compareTexts(a.service, b.service) ||
			compareBlocks(a.flow.remote, b.flow.remote) ||
			compareTexts(a.rest, b.rest),
	);
	return keyed.map(({ flow }) => flow);
}

function servicesOf(places: readonly Place[]): Recommendation["services"] {
	const chosen = places.flatMap((place) => place.chosen());
	const byService = Map.groupBy(chosen, ({ candidate }) => serviceText(candidate.service));
	return [...byService]
		.sort(([a], [b]) => compareTexts(a, b))
		.flatMap(([, list]) => {
			const [first] = list;
			return first === undefined ? [] : [{ service: first.candidate.service, chosen: list.sort(byBlock) }];
		});
}

function byBlock(a: Chosen, b: Chosen): number {
	return (
		compareTexts(a.candidate.interface ?? "", b.candidate.interface ?? "") ||
		compareBlocks(a.candidate.block, b.candidate.block)
	);
}

function learntOf(
	leftOut: readonly LeftOut[],
	faults: ReadonlyMap<SeenFlow, Fault>,
	totals: ReadonlyMap<string, Total>,
	places: readonly Place[],
): readonly Learnt[] {
	const learnt = new Map<string, Learnt>();
	for (const { flow, reason } of leftOut) {
		if (faults.get(flow)?.candidate === false) continue;
		const candidate = candidateOf(flow);
		const key = candidateText(candidate);
		const known = learnt.get(key);
		const { count, firstSeen, lastSeen } = flow;
		const evidence =
			known === undefined
				? { count, firstSeen, lastSeen }
				: {
						count: known.evidence.count + count,
						firstSeen: Math.min(known.evidence.firstSeen, firstSeen),
						lastSeen: Math.max(known.evidence.lastSeen, lastSeen),
					};
		const newest = totals.get(key)?.newest === flow;
		learnt.set(key, { candidate, evidence, reason: newest || known === undefined ? reason : known.reason });
	}
	const known = [...learnt]
		.filter(([, { candidate }]) => !places.some((place) => place.isIgnored(candidate)))
		.map(([, one]) => one);
	return [...places.flatMap((place) => place.widely() ?? []), ...known];
}
