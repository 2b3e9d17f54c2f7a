/** Rules that allow more than was seen through them, and narrower ones that would have been enough. */

import { containsCidr } from "../../../../base/cidr.ts";
import type { Cidr } from "../../../../base/model.ts";
import { isTransport } from "../../../../base/protocol.ts";
import { type Atom, contains, expandRule } from "../../compile/atom.ts";
import type { CompiledRule } from "../../compile/plan.ts";
import { guestModel, type NetworkModel } from "../../compile/program.ts";
import type { IpBlock, NetworkPolicy, NetworkRule } from "../../model.ts";
import { unasked } from "../anyway.ts";
import { FlowJudge } from "../flow-judge.ts";
import type { SeenFlow } from "../seen-flow.ts";
import type { Service } from "./candidate.ts";
import type { Chosen, RecommendOptions } from "./model.ts";
import { type RecommendedRule, rulesOf } from "./policy-text.ts";
import { recommendFlows } from "./recommend.ts";

export interface NarrowerRule {
	readonly service: Service;
	readonly rule: RecommendedRule;
}

export interface BroadRule {
	readonly rule: CompiledRule;
	/** What came through it. */
	readonly flows: number;
	readonly count: number;
	/** Flows among them for which the narrower ones make no room, such as those of a scan. */
	readonly leftOut: number;
	/** None: nothing came through it that should. */
	readonly narrower: readonly NarrowerRule[];
}

/** @param model of the policies. */
export function broadRules(
	policies: readonly NetworkPolicy[],
	model: NetworkModel,
	flows: readonly SeenFlow[],
	options: Omit<RecommendOptions, "model">,
): readonly BroadRule[] {
	const through = flowsByRule(model, flows, options.essentials);
	const programs = [model, guestModel(model)]
		.filter((one) => one !== null)
		.flatMap((one) => [one.ingress, one.egress]);
	const rules = new Map(
		programs
			.flatMap((program) => program.rules)
			.map((rule) => [`${rule.policy} ${rule.direction} ${rule.index}`, rule]),
	);
	const atoms = Map.groupBy(
		programs.flatMap((program) => program.atoms),
		(atom) => `${atom.rule.policy} ${atom.rule.direction} ${atom.rule.index}`,
	);
	return policies.flatMap((policy) =>
		(["ingress", "egress"] as const).flatMap((direction) =>
			policy[direction].flatMap((written) => {
				const key = `${policy.name} ${direction} ${written.index}`;
				const rule = rules.get(key);
				if (rule?.action !== "Allow" || isPassedOver(written)) return [];
				if (written.peers.some(({ suffix }) => suffix !== undefined)) return [];
				const own = through.get(key) ?? [];
				const { services, leftOut } = recommendFlows(own, { ...options, model }, []);
				const narrower = services.flatMap(({ service, chosen }) =>
					rulesOf(chosen.flatMap((one) => within(one, written.peers))).map((narrow): NarrowerRule => {
						const kept =
							narrow.interfaces.length > 0 ? narrow.interfaces : written.interfaces.map(interfaceText);
						return { service, rule: { ...narrow, interfaces: kept } };
					}),
				);
				const enough = narrower.flatMap((one) => atomsOf(one, rule));
				if ((atoms.get(key) ?? []).every((atom) => isNeeded(atom, enough))) return [];
				const count = own.reduce((sum, flow) => sum + flow.count, 0);
				return { rule, flows: own.length, count, leftOut: leftOut.length, narrower };
			}),
		),
	);
}

/**
 * Records of flows have no source ports, no ICMP types and no sender, so nothing would seem to come through such a rule. Several
 * rules in the place of one multiply limits, and what a quota lets by.
 */
function isPassedOver({ ports, sender, limits, quota }: NetworkRule): boolean {
	if (sender !== undefined || limits !== undefined || quota !== undefined) return true;
	return ports.some(({ source, icmpType }) => source !== null || icmpType !== null);
}

/** What passed and passes by a rule of a policy. A rule for both places judges a host's flow as a guest's. */
function flowsByRule(
	model: NetworkModel,
	flows: readonly SeenFlow[],
	essentials: boolean,
): ReadonlyMap<string, readonly SeenFlow[]> {
	const host = new FlowJudge(model);
	const forwarded = guestModel(model);
	const guests = forwarded === null ? null : new FlowJudge(forwarded);
	const found = new Map<string, SeenFlow[]>();
	for (const flow of flows) {
		const judge = flow.hook === "forward" ? guests : host;
		if (judge === null || flow.action === "Block" || unasked(flow, essentials) !== null) continue;
		const { passes, blocked } = judge.judge(flow);
		const rule = passes?.rule;
		if (!rule || blocked !== null || rule.place === null) continue;
		const key = `${rule.policy} ${rule.direction} ${rule.index}`;
		const known = found.get(key) ?? [];
		found.set(key, known);
		known.push({ ...flow, hook: flow.direction === "ingress" ? "input" : "output" });
	}
	return found;
}

/** What of a block the rule allows. */
function within(chosen: Chosen, peers: readonly IpBlock[]): readonly Chosen[] {
	const { block } = chosen.candidate;
	if (peers.length === 0 || block === null) return [chosen];
	const around = peers.find(({ cidr }) => containsCidr(cidr, block));
	if (around !== undefined) {
		const inside = around.except.filter((hole) => containsCidr(block, hole));
		return [{ ...chosen, holes: [...chosen.holes, ...inside] }];
	}
	return peers
		.filter(({ cidr }) => containsCidr(block, cidr))
		.map(({ cidr, except }) => ({
			...chosen,
			candidate: { ...chosen.candidate, block: cidr },
			why: "as the rule has it",
			holes: [...except, ...chosen.holes.filter((hole) => containsCidr(cidr, hole))],
		}));
}

function interfaceText({ name, prefix }: NetworkRule["interfaces"][number]): string {
	return `${name}${prefix ? "*" : ""}`;
}

function atomsOf({ service, rule }: NarrowerRule, compiled: CompiledRule): Atom[] {
	const place = { file: "", line: 1, column: 1 };
	const { protocol, port } = service;
	const blocks = rule.chosen.map(({ candidate, holes }) => ({ block: candidate.block, holes }));
	const peer = (cidr: Cidr, except: readonly Cidr[]) => ({ cidr, except, place });
	const written: NetworkRule = {
		...{ index: 0, place, action: "Allow", severity: 1, tags: [], message: "" },
		peers: blocks.flatMap(({ block, holes }) => (block === null ? [] : [peer(block, holes)])),
		interfaces: rule.interfaces.map((text) => ({
			name: text.replace(/\*$/u, ""),
			prefix: text.endsWith("*"),
		})),
		ports: [
			{
				protocol,
				range: port === null ? null : { first: port, last: port },
				source: null,
				icmpType: null,
				place,
			},
		],
	};
	return expandRule(written, compiled, 0);
}

/** Ports of a range that are looked for one by one. */
const fewPorts = 64;

/** Whether the narrower rules together allow all of an atom. */
function isNeeded(atom: Atom, enough: readonly Atom[]): boolean {
	const { protocol, range } = atom;
	const single = !isTransport(protocol) || range === null || range.last - range.first >= fewPorts;
	const ports = single
		? [range]
		: Array.from({ length: range.last - range.first + 1 }, (_, i) => ({
				first: range.first + i,
				last: range.first + i,
			}));
	const hasHole = (outer: Atom) =>
		outer.holes.some((hole) => !atom.holes.some((own) => own.first <= hole.first && hole.last <= own.last));
	return ports.every((port) => {
		const part = { ...atom, range: port };
		return enough.some((outer) => contains(outer, part) && !hasHole(outer));
	});
}
