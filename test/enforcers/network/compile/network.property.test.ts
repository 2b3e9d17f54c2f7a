/** The model of random policies against the oracle, which judges each packet by going through all rules. */

import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { decidePacket, guestModel } from "../../../../src/enforcers/network/compile/program.ts";
import { explain } from "../../../../src/enforcers/network/compile/verdict/explain.ts";
import { failsafes, holdingFor, inVrfs, manyPackets, policySets, scopedSets, vrfSets } from "./generate.ts";
import { options } from "./options.ts";
import { judge } from "./oracle.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

test("the model and explain agree with the brute-force oracle in verdict and attribution", () => {
	fc.assert(
		fc.property(
			policySets,
			manyPackets,
			fc.constantFrom("audit", "block" as const),
			fc.constantFrom("direction", "host" as const),
			failsafes,
			vrfSets,
			(policies, drawn, posture, allowlistScope, failsafe, vrfs) => {
				const meaning = { posture, allowlistScope, failsafe, vrfs };
				const sample = drawn.map((packet) => inVrfs(packet, vrfs));
				const result = compileNetwork(policies, { ...options, ...meaning });
				if (!result.ok) throw new Error(result.diagnostics[0]?.message);
				for (const packet of sample) {
					const expected = judge(policies, meaning, packet);
					const { action, rule } = decidePacket(result.model, packet);
					const found = { action, policy: rule?.policy ?? null, index: rule?.index ?? -1 };
					expect(found).toEqual(expected);
					expect(explain(result.model, packet).rule).toBe(rule);
				}
			},
		),
		{ numRuns: 750 },
	);
});

test("so do the models of the host and of guests, where policies hold for one of them", () => {
	const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;
	fc.assert(
		fc.property(
			scopedSets,
			manyPackets,
			fc.constantFrom("direction", "host" as const),
			(policies, sample, allowlistScope) => {
				const meaning = { posture: "block", allowlistScope } as const;
				const result = compileNetwork(policies, { ...options, ...meaning, guests });
				if (!result.ok) throw new Error(result.diagnostics[0]?.message);
				const models = { host: result.model, guests: guestModel(result.model) };
				for (const place of ["host", "guests"] as const) {
					const model = models[place];
					if (model === null) throw new Error("nothing is judged");
					for (const packet of sample) {
						const expected = judge(holdingFor(policies, place), meaning, packet);
						const { action, rule } = explain(model, packet);
						expect({ action, policy: rule?.policy ?? null, index: rule?.index ?? -1 }).toEqual(expected);
					}
				}
			},
		),
		{ numRuns: 150 },
	);
});
