/** The text of random policies' rulesets, run by a small nftables, against the model. */

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { planText } from "../../../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { decidePacket } from "../../../../../src/enforcers/network/compile/program.ts";
import { failsafes, inVrfs, manyPackets, policySets, vrfSets } from "../generate.ts";
import { options } from "../options.ts";
import { parseTable, simulate } from "../simulate.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

const forms = ["concatenated", "nested-members"] as const;
for (const { form, hashFrom } of forms.flatMap((form) =>
	[1, 2, 512].map((hashFrom) => ({ form, hashFrom })),
)) {
	test(`the rendered text decides as the model does (${form}, hash tables from ${hashFrom})`, () => {
		fc.assert(
			fc.property(policySets, failsafes, vrfSets, manyPackets, (policies, failsafe, vrfs, drawn) => {
				const sample = drawn.map((packet) => inVrfs(packet, vrfs));
				const result = compileNetwork(policies, { ...options, form, hashFrom, failsafe, vrfs });
				if (!result.ok) throw new Error(result.diagnostics[0]?.message);
				const table = parseTable(planText(result.plan, "t"));
				for (const packet of sample) {
					const { action, rule } = decidePacket(result.model, packet);
					const found = simulate(table, packet);
					expect(found).toEqual({
						verdict: action === "Block" ? "drop" : "accept",
						rule: rule?.id ?? null,
					});
				}
			}),
			{ numRuns: 350 },
		);
	});
}
