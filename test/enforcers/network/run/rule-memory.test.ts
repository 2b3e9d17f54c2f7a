import { expect, test } from "bun:test";
import type { CompiledRule } from "../../../../src/enforcers/network/compile/plan.ts";
import { RuleMemory } from "../../../../src/enforcers/network/run/rule-memory.ts";

const rule = (id: string): CompiledRule => ({
	id,
	policy: id,
	index: 0,
	direction: "ingress",
	action: "Block",
	severity: 1,
	tags: [],
	message: "",
	place: null,
	counter: `c_${id}`,
	logCounter: null,
});

test("rules are remembered beside 20 000 that were in force, the oldest forgotten first", () => {
	const memory = new RuleMemory();
	memory.add(rule("a"), 2);
	memory.add(rule("b"), 2);
	memory.add(rule("a"), 2);
	for (let index = 0; index < 20_001; index++) memory.add(rule(`r${index}`), 2);
	expect(memory.get("b")).toBeUndefined();
	expect(memory.get("a")?.policy).toBe("a");
	expect(memory.get("r20000")?.counter).toBe("c_r20000");
	expect(memory.get("none")).toBeUndefined();
});
