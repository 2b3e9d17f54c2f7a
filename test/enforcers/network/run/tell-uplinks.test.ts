import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { tellUplinks } from "../../../../src/enforcers/network/run/tell-uplinks.ts";
import { options } from "../compile/options.ts";

const compiled = compileNetwork([], {
	...options,
	guests: { forwarded: "enforce", interfaces: [], uplinks: ["vmbr0"] },
});
if (!compiled.ok) throw new Error("the empty set does not compile");
const { plan } = compiled;

async function tell(inForce: NetworkPlan | null, names: readonly string[], error: string | null = null) {
	const told: unknown[] = [];
	const warnings: string[] = [];
	const given = {
		nft: {
			call: async (_: string, uplinks: unknown) => {
				told.push(uplinks);
				return error;
			},
		},
		events: { warn: (text: string) => void warnings.push(text) },
		uplinks: () => ({ ok: true, names }),
	} as unknown as Parameters<typeof tellUplinks>[1];
	const result = await tellUplinks(inForce, given);
	return { told, warnings, uplinks: result?.forward?.uplinks ?? null };
}

test("bridges that changed are told, and the plan has them", async () => {
	expect(await tell(plan, ["br9", "vmbr0"])).toEqual({
		told: [["br9", "vmbr0"]],
		warnings: [],
		uplinks: ["br9", "vmbr0"],
	});
});

test("nothing is told where they are as they were, or where nothing of guests is judged", async () => {
	const known = plan.forward?.uplinks ?? [];
	const { forward: _, ...without } = plan;
	for (const inForce of [plan, null, without])
		expect(await tell(inForce, known)).toEqual({ told: [], warnings: [], uplinks: null });
});

test("what could not be told is warned of", async () => {
	const { warnings, uplinks } = await tell(plan, ["br9"], "no memory");
	expect(warnings).toEqual(["which bridges lead to other hosts is not up to date: no memory"]);
	expect(uplinks).toBeNull();
});
