import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { parsePolicies } from "../limited.ts";
import { options } from "../options.ts";

const rules = `- {action: Allow, ports: [{protocol: UDP}], connectionLimit: {max: 3}}
- {action: Allow, ports: [{protocol: TCP}], rateLimit: {connections: 1/day, per: rule}}
- {action: Block}`;

const told = (direction: string, more: Partial<typeof options> = {}) =>
	compileNetwork(parsePolicies(rules, "a", direction), { ...options, ...more })
		.diagnostics.filter(({ code }) => code === "limit-of-own-source")
		.map(({ path, line }) => [path, line]);

test("a limit for each source of what the host sends is told where the host alone sends", () => {
	expect(told("egress")).toEqual([["spec.egress[0]", 7]]);
	expect(told("ingress")).toEqual([]);
	const guests = { forwarded: "enforce" as const, interfaces: [], uplinks: [] };
	expect(told("egress", { guests })).toEqual([]);
});
