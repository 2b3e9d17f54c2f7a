/**
 * The compiled model as nftables objects. Every value is rendered from typed
 * fields: numbers, addresses, checked interface names and digests. Text of
 * policies appears only in comments, reduced to harmless characters.
 */

import type { Direction } from "../../../../base/model.ts";
import { goto } from "../../../../kernel/nftables/expressions.ts";
import { forwardedCounter } from "../../names.ts";
import { withLimitRules } from "../limits.ts";
import type { CompiledRule, NetworkPlan } from "../plan.ts";
import type { DirectionProgram, NetworkModel, Programs } from "../program.ts";
import type { StagedPrograms } from "../staged.ts";
import { DirectionRenderer, judgesLeaving } from "./direction.ts";
import { forwardRoot, type Made, renderForward } from "./forward.ts";
import { guardBoxes, guardRules } from "./guard.ts";
import type { LeafUse } from "./leaf.ts";
import { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";
import { packetPort } from "./port-key.ts";
import { renderQuotas } from "./quotas.ts";
import { servicePlan, servicesOf } from "./senders.ts";

export interface Rendered {
	readonly plan: NetworkPlan;
	/** Map elements that lead to each rule, by rule id; "" for membership sets. */
	readonly cost: ReadonlyMap<string, number>;
}

/** @param staged what is staged; null where nothing is */
export function renderModel(
	model: NetworkModel,
	options: RenderOptions,
	staged: StagedPrograms | null = null,
): Rendered {
	const store = new ObjectStore(options.epoch);
	const cost = new Map<string, number>();
	const blocks = [model.ingress, model.egress].some(({ rules, posture }) =>
		[...rules, posture].some((rule) => rule?.action === "Block"),
	);
	const leaves = leafUses(model, options);
	const made: Made = { ingress: new WeakMap(), egress: new WeakMap() };
	const seen = { forwarded: false, ports: packetPort, leafUse: leaves.own };
	const direction = (name: Direction) =>
		new DirectionRenderer(
			store,
			model[name],
			name,
			{ ...options, blocks, seen: { ...seen, made: made[name] } },
			cost,
		).render();
	const ingress = direction("ingress");
	const egress = direction("egress");
	const leaving = judgesLeaving(model.egress, options);
	const { guests } = options;
	const forwarded = { leafUse: leaves.forwarded, made: leaves.alike(made) };
	const forward =
		guests === undefined || model.guests === undefined
			? {}
			: { forward: renderForward(store, model.guests, { ...options, guests }, forwarded, cost) };
	const quotas = renderQuotas(store, model, options);
	const both = <T>(of: (program: DirectionProgram) => T) => ({
		ingress: of(model.ingress),
		egress: of(model.egress),
	});
	const services = servicePlan(store, servicesOf(model.egress), leaving ? "accept" : null);
	const plan: NetworkPlan = {
		objects: store.objects,
		roots: { ingress, egress },
		...(leaving ? { egressHook: "postrouting" as const } : {}),
		...services,
		...forward,
		...(quotas === null ? {} : { quotas }),
		rules: plannedRules(model, store, guests?.forwarded === "audit"),
		elements: store.elements,
		allowlistMode: both((program) => program.allowlistMode),
		defaultDrop: both((program) => program.posture?.action === "Block"),
		guard: {
			ingress: guardRules(guardBoxes(model.ingress), "ingress"),
			egress: guardRules(guardBoxes(model.egress), "egress"),
		},
		failsafe: [...model.ingress.failsafe, ...model.egress.failsafe].map(({ planned }) => planned),
	};
	return { plan: staged === null ? plan : withStaged(plan, staged, store, options), cost };
}

/** Adds what judges once more what passed. What it shares with what is enforced are sets of addresses. */
function withStaged(
	plan: NetworkPlan,
	{ host, guests: behind, rules, policies, evaluated }: StagedPrograms,
	store: ObjectStore,
	options: RenderOptions,
): NetworkPlan {
	const leafUse = (): LeafUse => ({ metBy: "own", spared: false });
	const made = (): Made => ({ ingress: new WeakMap(), egress: new WeakMap() });
	const own = made();
	const after = plan.egressHook === "postrouting";
	const direction = (name: Direction) => {
		const program = host[name];
		if (program === undefined) return {};
		const counts = { evaluated: evaluated.host[name] };
		const seen = { forwarded: false, ports: packetPort, leafUse, made: own[name], leaves: after, ...counts };
		const direct = { ...options, blocks: true, seen };
		return { [name]: new DirectionRenderer(store, program, name, direct, new Map()).render() };
	};
	const { guests } = options;
	const forwards = guests !== undefined && (behind.ingress ?? behind.egress) !== undefined;
	const seen = { leafUse, made: made() };
	const roots = {
		...direction("ingress"),
		...direction("egress"),
		...(forwards
			? { forward: forwardRoot(store, behind, { ...options, guests }, seen, new Map(), evaluated.guests) }
			: {}),
	};
	// What is dropped where packets leave would be counted before.
	const leaves = host.egress !== undefined && (after || judgesLeaving(host.egress, options));
	// What is in force is judged behind what notes for both.
	const led = after ? "accept" : goto(plan.roots.egress);
	const services =
		host.egress === undefined ? {} : servicePlan(store, servicesOf(host.egress), leaves ? led : null);
	return {
		...plan,
		objects: store.objects,
		elements: store.elements,
		staged: {
			roots,
			...(leaves ? { egressHook: "postrouting" as const } : {}),
			...services,
			rules,
			policies,
			enforced: { objects: plan.objects.length, elements: plan.elements },
		},
	};
}

function rulesIn({ rules, posture }: DirectionProgram): readonly CompiledRule[] {
	return posture === null ? rules : [...rules, posture];
}

/** Every rule once, and what becomes of the forwarded packets that meet it. */
function plannedRules(
	{ guests, quotas: _, ...own }: NetworkModel,
	store: ObjectStore,
	audit: boolean,
): CompiledRule[] {
	const rules = new Map<string, CompiledRule>();
	for (const program of [own.ingress, own.egress])
		for (const rule of rulesIn(program)) rules.set(rule.id, rule);
	const met = new Set<string>();
	for (const program of guests === undefined ? [] : [guests.ingress, guests.egress])
		for (const rule of rulesIn(program)) {
			rules.set(rule.id, rule);
			met.add(rule.id);
		}
	return [...rules.values()].map((rule) => {
		const counted = store.get(forwardedCounter(rule.id)) !== undefined;
		return meetingForwarded(rule, counted, audit && met.has(rule.id));
	});
}

/** Of a rule that did not change, the same object. */
const meeting = new WeakMap<CompiledRule, Map<string, CompiledRule>>();

/** @param audit what would be dropped of what is forwarded passes */
function meetingForwarded(rule: CompiledRule, counted: boolean, audit: boolean): CompiledRule {
	const spared = audit && rule.action === "Block";
	if (!counted && !spared) return rule;
	const made = meeting.get(rule) ?? new Map<string, CompiledRule>();
	meeting.set(rule, made);
	const key = `${counted} ${audit}`;
	const known = made.get(key) ?? {
		...rule,
		...withLimitRules(rule, (one) => meetingForwarded(one, counted, audit)),
		...(counted ? { forwardedCounter: forwardedCounter(rule.id) } : {}),
		...(spared ? { sparesForwarded: true as const } : {}),
	};
	made.set(key, known);
	return known;
}

/** Which packets meet the chains of rules, of this host's trees and of those of forwarded packets. */
function leafUses({ guests, quotas: _, ...own }: NetworkModel, options: RenderOptions) {
	const spared = options.guests?.forwarded === "audit";
	const ids = (programs: Programs | undefined) =>
		new Set(
			programs === undefined ? [] : [programs.ingress, programs.egress].flatMap(rulesIn).map(({ id }) => id),
		);
	const [host, behind] = [ids(own), ids(guests)];
	// What leaves in postrouting may have come by an interface, too: there the two cannot be told apart.
	const leaves = judgesLeaving(own.egress, options);
	const shared = ({ id, direction }: CompiledRule) =>
		host.has(id) && behind.has(id) && !(direction === "egress" && leaves);
	const use =
		(apart: LeafUse["metBy"]) =>
		(rule: CompiledRule): LeafUse => ({
			metBy: shared(rule) ? "both" : apart,
			spared,
		});
	/** Of a direction whose rules have the same chains for both, the same. */
	const alike = (made: Made): Made => ({
		ingress: guests?.ingress === own.ingress ? made.ingress : new WeakMap(),
		egress: guests?.egress === own.egress && !leaves ? made.egress : new WeakMap(),
	});
	return { own: use("own"), forwarded: use("forwarded"), alike };
}
