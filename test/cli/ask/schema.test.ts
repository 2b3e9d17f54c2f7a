import { expect, test } from "bun:test";
import { schemaNames } from "../../../src/engine/schemas.ts";
import { takes } from "../../support/json-schema.ts";
import { policy } from "../../system/support/case.ts";
import { portward } from "../support/portward.ts";

test("every kind, and the whole of them, as JSON that says its dialect", async () => {
	for (const args of [[], ["--json"], ...schemaNames.map((name) => ["--kind", name])]) {
		const { code, out, error } = await portward("schema", ...args);
		expect([code, error]).toEqual([0, ""]);
		expect(JSON.parse(out).$schema).toBe("https://json-schema.org/draft/2020-12/schema");
	}
	const { out } = await portward("schema");
	const schema = JSON.parse(out);
	const one = JSON.parse(policy("a", { ingress: [{}] }));
	for (const good of [one, [one], { kind: "List", items: [one] }]) expect(takes(good, schema)).toBe(true);
	for (const bad of [{ ...one, kind: "KubeArmorHostPolicy" }, [], { kind: "List", items: [{}] }])
		expect(takes(bad, schema)).toBe(false);
});

test("another kind is wrong usage, with the nearest one", async () => {
	const { code, error } = await portward("schema", "--kind", "KubeArmorNetworkPolcy");
	expect(code).toBe(64);
	expect(error).toContain("did you mean KubeArmorNetworkPolicy?");
});
