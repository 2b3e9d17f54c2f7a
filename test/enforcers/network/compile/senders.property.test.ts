/** Who sends, as one more dimension: the compiler against the brute-force oracle, and the text that it writes against both. */

import { setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { packets, senderSets, senders } from "./generate.ts";
import type { OraclePacket } from "./oracle.ts";
import { expectOracle, expectText } from "./support/agreement.ts";

setDefaultTimeout(180_000);

const sent: fc.Arbitrary<OraclePacket> = fc
	.tuple(packets, senders)
	.map(([packet, sender]) => ({ ...packet, direction: "egress", sender }));

const sample = fc.array(sent, { minLength: 20, maxLength: 40 });

test("the model and explain agree with the oracle about every sender", () => {
	fc.assert(fc.property(senderSets, sample, fc.constantFrom("audit", "block" as const), expectOracle), {
		numRuns: 150,
	});
});

test.each(["concatenated", "nested"] as const)("the text decides as the model does (%s)", (form) => {
	fc.assert(
		fc.property(senderSets, sample, (policies, drawn) => expectText(policies, drawn, form)),
		{ numRuns: 60 },
	);
});
