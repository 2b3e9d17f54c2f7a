/**
 * The compiled model as nftables objects. Every value is rendered from typed
 * fields: numbers, addresses, checked interface names and digests. Text of
 * policies appears only in comments, reduced to harmless characters.
 */

import type { Direction } from "../../../../base/model.ts";
import type { NetworkPlan } from "../plan.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import { DirectionRenderer, namesInterfaces } from "./direction.ts";
import { guardBoxes, guardRules } from "./guard.ts";
import { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";

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
	const direction = (name: Direction) =>
		new DirectionRenderer(store, model[name], name, { ...options, blocks }, cost).render();
	const ingress = direction("ingress");
	const egress = direction("egress");
	const both = <T>(of: (program: DirectionProgram) => T) => ({
		ingress: of(model.ingress),
		egress: of(model.egress),
	});
	const rules = [model.ingress, model.egress].flatMap((program) =>
		program.posture === null ? program.rules : [...program.rules, program.posture],
	);
	const plan: NetworkPlan = {
		objects: store.objects,
		roots: { ingress, egress },
		...(namesInterfaces(model.egress) ? { egressHook: "postrouting" as const } : {}),
		rules,
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
