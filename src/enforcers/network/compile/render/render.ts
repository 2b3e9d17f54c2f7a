/**
 * The compiled model as nftables objects. Every value is rendered from typed
 * fields: numbers, addresses, checked interface names and digests. Text of
 * policies appears only in comments, reduced to harmless characters.
 */

import type { Direction } from "../../../../base/model.ts";
import { forwardedCounter } from "../../names.ts";
import type { CompiledRule, NetworkPlan } from "../plan.ts";
import type { DirectionProgram, NetworkModel, Programs } from "../program.ts";
import { DirectionRenderer, namesInterfaces } from "./direction.ts";
import { renderForward } from "./forward.ts";
import { guardBoxes, guardRules } from "./guard.ts";
import type { LeafUse } from "./leaf.ts";
import { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";
import { packetPort } from "./port-key.ts";

export interface Rendered {
	readonly plan: NetworkPlan;
	/** Map elements that lead to each rule, by rule id; "" for membership sets. */
	readonly cost: ReadonlyMap<string, number>;
}

export function renderModel(model: NetworkModel, options: RenderOptions): Rendered {
	const store = new ObjectStore(options.epoch);
	const cost = new Map<string, number>();
	const blocks = [model.ingress, model.egress].some(({ rules, posture }) =>
		[...rules, posture].some((rule) => rule?.action === "Block"),
	);
	const leaves = leafUses(model, options);
	const seen = { forwarded: false, ports: packetPort, leafUse: leaves.own };
	const direction = (name: Direction) =>
		new DirectionRenderer(store, model[name], name, { ...options, blocks, seen }, cost).render();
	const ingress = direction("ingress");
	const egress = direction("egress");
	const { guests } = options;
	const forward =
		guests === undefined || model.guests === undefined
			? {}
			: { forward: renderForward(store, model.guests, { ...options, guests }, leaves.forwarded) };
	const both = <T>(of: (program: DirectionProgram) => T) => ({
		ingress: of(model.ingress),
		egress: of(model.egress),
	});
	const plan: NetworkPlan = {
		objects: store.objects,
		roots: { ingress, egress },
		...(namesInterfaces(model.egress) ? { egressHook: "postrouting" as const } : {}),
		...forward,
		rules: plannedRules(model, store),
		elements: store.elements,
		allowlistMode: both((program) => program.allowlistMode),
		defaultDrop: both((program) => program.posture?.action === "Block"),
		guard: {
			ingress: guardRules(guardBoxes(model.ingress), "ingress"),
			egress: guardRules(guardBoxes(model.egress), "egress"),
		},
		failsafe: [...model.ingress.failsafe, ...model.egress.failsafe].map(({ planned }) => planned),
	};
	return { plan, cost };
}

function rulesIn({ rules, posture }: DirectionProgram): readonly CompiledRule[] {
	return posture === null ? rules : [...rules, posture];
}

/** Every rule once, those that count forwarded packets apart with the counter of these. */
function plannedRules({ guests, ...own }: NetworkModel, store: ObjectStore): CompiledRule[] {
	const rules = new Map<string, CompiledRule>();
	for (const program of [own.ingress, own.egress])
		for (const rule of rulesIn(program)) rules.set(rule.id, rule);
	for (const program of guests === undefined ? [] : [guests.ingress, guests.egress])
		for (const rule of rulesIn(program)) rules.set(rule.id, rule);
	return [...rules.values()].map((rule) =>
		store.get(forwardedCounter(rule.id)) === undefined ? rule : withForwardedCounter(rule),
	);
}

/** Of a rule that did not change, the same object. */
const counting = new WeakMap<CompiledRule, CompiledRule>();

function withForwardedCounter(rule: CompiledRule): CompiledRule {
	const known = counting.get(rule) ?? { ...rule, forwardedCounter: forwardedCounter(rule.id) };
	counting.set(rule, known);
	return known;
}

/** Which packets meet the chains of rules, of this host's trees and of those of forwarded packets. */
function leafUses({ guests, ...own }: NetworkModel, options: RenderOptions) {
	const spared = options.guests?.forwarded === "audit";
	const ids = (programs: Programs | undefined) =>
		new Set(
			programs === undefined ? [] : [programs.ingress, programs.egress].flatMap(rulesIn).map(({ id }) => id),
		);
	const [host, behind] = [ids(own), ids(guests)];
	// What leaves in postrouting may have come by an interface, too: there the two cannot be told apart.
	const leaves = namesInterfaces(own.egress);
	const shared = ({ id, direction }: CompiledRule) =>
		host.has(id) && behind.has(id) && !(direction === "egress" && leaves);
	const use =
		(apart: LeafUse["metBy"]) =>
		(rule: CompiledRule): LeafUse => ({
			metBy: shared(rule) ? "both" : apart,
			spared,
		});
	return { own: use("own"), forwarded: use("forwarded") };
}
