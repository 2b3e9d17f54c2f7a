import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { policy, rule } from "../build.ts";
import { options } from "../options.ts";

const scoped = [
	policy("all", rule("Block")),
	{ ...policy("host", rule("Block")), appliesTo: "host" as const },
	{ ...policy("guests", rule("Block")), appliesTo: "guests" as const },
];

test("a policy for guests alone is told where guests are left alone", () => {
	const { diagnostics } = compileNetwork(scoped, options);
	expect(diagnostics.filter(({ code }) => code === "guests-off")).toMatchObject([
		{ severity: "warning", path: "metadata.annotations", file: "p.yaml" },
	]);
});

test("and not where they are judged or audited", () => {
	for (const forwarded of ["audit", "enforce"] as const) {
		const guests = { forwarded, interfaces: [], uplinks: [] };
		const { diagnostics } = compileNetwork(scoped, { ...options, guests });
		expect(diagnostics.filter(({ code }) => code === "guests-off")).toEqual([]);
	}
});
