/** What would block a packet, held against brute force: the verdicts with and without what is staged. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { buildModel, ruleSets } from "../../../../src/enforcers/network/compile/program.ts";
import {
	stagedModel,
	stagedPrograms,
	stagedRules,
	stagedVerdict,
} from "../../../../src/enforcers/network/compile/staged.ts";
import { failsafes, holdingFor, packets, scopedSets } from "./generate.ts";
import { judge } from "./oracle.ts";

test("a packet would be blocked exactly where all policies block it and those in force do not", () => {
	fc.assert(
		fc.property(
			scopedSets,
			fc.infiniteStream(fc.boolean()),
			fc.array(packets, { minLength: 20, maxLength: 40 }),
			fc.record({
				posture: fc.constantFrom("audit" as const, "block" as const),
				staged: fc.constantFrom(null, null, "block" as const),
				allowlistScope: fc.constantFrom("direction" as const, "host" as const),
				failsafe: failsafes,
			}),
			(policies, coins, asked, { posture, staged, allowlistScope, failsafe }) => {
				const enforced = policies.filter(() => coins.next().value === true);
				const others = policies.filter((policy) => !enforced.includes(policy));
				const guests = { forwarded: "enforce" as const, interfaces: [], uplinks: [] };
				const meaning = { posture, allowlistScope, failsafe, guests };
				const after = staged ?? posture;
				const written = buildModel(ruleSets(enforced), meaning);
				const model = stagedModel(stagedRules(enforced, others), { posture: staged }, meaning);
				const programs = stagedPrograms(written, model, others);
				for (const place of ["host", "guests"] as const) {
					const [own, all] = place === "host" ? [written, model] : [written.guests, model.guests];
					if (own === undefined || all === undefined) throw new Error("guests are judged");
					for (const packet of asked) {
						const now = judge(holdingFor(enforced, place), { posture, allowlistScope, failsafe }, packet);
						const then = judge(
							holdingFor(policies, place),
							{ posture: after, allowlistScope, failsafe },
							packet,
						);
						const would = stagedVerdict({ ...own, staged: all }, packet);
						const wanted = then.action === "Block" && now.action !== "Block";
						expect(would !== null).toBe(wanted);
						if (would === null) continue;
						const { policy, index, direction } = would.rule;
						expect({ policy, index }).toMatchObject({ policy: then.policy, index: then.index });
						// The kernel's trees count it there, for the same policies.
						const told = programs.rules.filter(
							(rule) => rule.policy === policy && rule.index === index && rule.direction === direction,
						);
						expect(told.map((rule) => rule.staged)).toContainEqual(would.policies);
					}
				}
			},
		),
		{ numRuns: 150, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
	);
});
