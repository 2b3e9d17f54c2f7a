/** The rules behind log prefixes: those in force, and recent ones, whose packets are still on their way to us. */

import type { CompiledRule } from "../compile/plan.ts";

/** Kept beside those in force. */
const retiredRules = 20_000;

export class RuleMemory {
	readonly #rules = new Map<string, CompiledRule>();

	/** @param inForce how many rules are in force. */
	add(rule: CompiledRule, inForce: number): void {
		this.#rules.delete(rule.id);
		this.#rules.set(rule.id, rule);
		for (const id of this.#rules.keys()) {
			if (this.#rules.size <= retiredRules + inForce) break;
			this.#rules.delete(id);
		}
	}

	get(id: string): CompiledRule | undefined {
		return this.#rules.get(id);
	}
}
