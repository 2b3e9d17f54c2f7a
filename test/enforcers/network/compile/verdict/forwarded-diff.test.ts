import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import {
	diffAllLimits,
	diffForwarded,
} from "../../../../../src/enforcers/network/compile/verdict/forwarded-diff.ts";
import { parsePolicies } from "../limited.ts";
import { options } from "../options.ts";

const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;

function model(rules: string, appliesTo?: "host" | "guests", more: object = { guests }) {
	const scope = appliesTo === undefined ? {} : { appliesTo };
	const policies = parsePolicies(rules, "a").map((one) => ({ ...one, ...scope }));
	const compiled = compileNetwork(policies, { ...options, ...more });
	if (!compiled.ok) throw new Error("refused");
	return compiled.model;
}

const [audit, block] = ["- {action: Audit}", "- {action: Block}"];

test("what is forwarded is told where it is otherwise than the host's own", () => {
	expect(diffForwarded(model(audit), model(block), [])).toBeNull();
	expect(diffForwarded(model(audit, "guests"), model(block, "guests"), [])).toMatchObject([
		{ direction: "ingress", before: "Audit", after: "Block" },
	]);
	expect(diffForwarded(model(audit, "guests"), model(block, "guests", {}), [])).toBeNull();
});

test("limits of what is forwarded count, and those of both count once", () => {
	const limited = "- {action: Allow, rateLimit: {connections: 1/day}}";
	const told = (scope?: "host" | "guests") =>
		diffAllLimits(model("- {action: Allow}", scope), model(limited, scope));
	for (const scope of ["host", "guests", undefined] as const)
		expect(told(scope).map(({ change }) => change)).toEqual(["added"]);
});
