/** What is told of a recommendation beside its policies: the report, the test cases, what is known from then on. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { KnownFlows } from "../../../../../src/enforcers/network/history/baseline.ts";
import { baselineKeys } from "../../../../../src/enforcers/network/history/recommend/baseline-keys.ts";
import { reportText } from "../../../../../src/enforcers/network/history/recommend/report-text.ts";
import { casesOf, testBody } from "../../../../../src/enforcers/network/history/recommend/test-text.ts";
import { parsePolicyFile } from "../../../../../src/engine/parse.ts";
import { flow, guestFlow, seenFlows } from "../support/flows.ts";
import { recommended } from "../support/recommended.ts";

test("the report has each reason once, with its flows, and what stays open; no name in it moves a cursor", () => {
	const hostile = { action: "Block", policy: "x\u001b[2J\ny" } as const;
	const found = recommended([
		flow("ingress tcp 22 from 10.0.0.1"),
		flow("ingress tcp 23 from 10.0.0.1", hostile),
		flow("ingress tcp 24 from 10.0.0.1", hostile),
	]);
	expect(reportText(found).split("\n")).toEqual([
		"What portward recommend left out: 2 of 3 flows.",
		"To let one in, write Set before its candidate in recommend.states, and run recommend --update.",
		"There is no Allow for egress, so nothing of it is closed.",
		"",
		"was blocked, last by x\\x1b[2J\\ny (2 flows):",
		"  ingress tcp 23 from 10.0.0.1 on eth0, 10 times, last 2026-11-21T00:00:00.000Z",
		"  ingress tcp 24 from 10.0.0.1 on eth0, 10 times, last 2026-11-21T00:00:00.000Z",
		"",
	]);
});

test("whatever was seen, the cases are valid, and few of each service", () => {
	fc.assert(
		fc.property(fc.array(seenFlows, { maxLength: 40 }), (flows) => {
			const { included, leftOut } = recommended(flows, { minCount: 1 });
			const body = testBody(casesOf([...included.keys()], leftOut));
			if (body === null) return;
			const { documents } = parsePolicyFile("t.yaml", body);
			expect(documents.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
		}),
		{ numRuns: 60 },
	);
	const many = Array.from({ length: 300 }, (_, i) =>
		guestFlow(`ingress tcp 80 from 10.${i}.0.1`.replace(/10\.2[5-9]\d|10\.[3-9]\d\d/u, `11.${i % 250}`)),
	);
	const { included, leftOut } = recommended(many);
	expect(casesOf([...included.keys()], leftOut)).toHaveLength(20);
	expect(testBody([])).toBeNull();
});

test("all flows that it was made from are known, in and out, and no other service is", () => {
	fc.assert(
		fc.property(fc.array(seenFlows, { maxLength: 40 }), (flows) => {
			const known = new KnownFlows({ keys: baselineKeys(recommended(flows)) });
			for (const one of flows) {
				expect(known.covers(one)).toBe(true);
				expect(known.covers({ ...one, interface: "other0" })).toBe(false);
			}
		}),
		{ numRuns: 60 },
	);
});
