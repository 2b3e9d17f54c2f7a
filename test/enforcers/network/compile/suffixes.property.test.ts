/** Ends of IPv6 addresses, as one more dimension: the compiler against the brute-force oracle, and its text against both. */

import { setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { senders, withSenders } from "./generate.ts";
import { suffixPackets, suffixSets } from "./generate-suffixes.ts";
import type { OraclePacket } from "./oracle.ts";
import { expectOracle, expectText } from "./support/agreement.ts";

setDefaultTimeout(180_000);

const sample = fc.array(suffixPackets, { minLength: 20, maxLength: 40 });

const postures = fc.constantFrom("audit", "block" as const);

test("the model and explain agree with the oracle about every address, whatever the order of the policies", () => {
	fc.assert(
		fc.property(suffixSets, sample, postures, (policies, drawn, posture) => {
			expectOracle(policies, drawn, posture);
			expectOracle(policies.toReversed(), drawn.slice(0, 5), posture);
		}),
		{ numRuns: 150 },
	);
});

test("also where rules name senders beside them", () => {
	const sent = fc
		.array(fc.tuple(suffixPackets, senders), { minLength: 20, maxLength: 40 })
		.map((all) => all.map(([packet, sender]): OraclePacket => ({ ...packet, direction: "egress", sender })));
	fc.assert(fc.property(withSenders(suffixSets), sent, postures, expectOracle), { numRuns: 40 });
});

test.each(["concatenated", "nested"] as const)("the text decides as the model does (%s)", (form) => {
	fc.assert(
		fc.property(suffixSets, sample, (policies, drawn) => expectText(policies, drawn, form)),
		{ numRuns: 60 },
	);
});
