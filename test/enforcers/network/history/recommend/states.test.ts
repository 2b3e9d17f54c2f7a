import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
	candidateText,
	parseCandidate,
} from "../../../../../src/enforcers/network/history/recommend/candidate.ts";
import { isUnchanged, signedText } from "../../../../../src/enforcers/network/history/recommend/generated.ts";
import { readStates, statesText } from "../../../../../src/enforcers/network/history/recommend/states.ts";
import { flow, seenFlows } from "../support/flows.ts";
import { recommended, remembered } from "../support/recommended.ts";

describe("candidates", () => {
	test("are read as they are written", () => {
		fc.assert(
			fc.property(fc.array(seenFlows, { maxLength: 20 }), (flows) => {
				const { services, learnt } = recommended(flows, { minCount: 1 });
				for (const { candidate } of [...services.flatMap(({ chosen }) => chosen), ...learnt]) {
					const text = candidateText(candidate);
					const read = parseCandidate(text.split(" "));
					expect(read).toEqual({ ok: true, candidate });
				}
			}),
			{ numRuns: 100 },
		);
	});

	test.each([
		["sideways tcp 22 from any", "no direction"],
		["ingress tpc 22 from any", "no protocol"],
		["ingress tcp from any", "needs a port"],
		["ingress tcp 65536 from any", "needs a port"],
		["ingress icmp to any", "from is missing"],
		["ingress tcp 22 from 10.0.0.1/24", "bits set beyond"],
		["ingress tcp 22 from 10.0.0", "not four decimal numbers"],
		["ingress tcp 22 from any at eth0", "not expected here"],
		["ingress tcp 22 from any on eth0 twice", "not expected here"],
		["ingress tcp 22 from any on eth*", "no interface"],
	])("%s: %s", (text, message) => {
		expect(parseCandidate(text.split(" "))).toMatchObject({
			ok: false,
			message: expect.stringContaining(message),
		});
	});
});

describe("recommend.states", () => {
	const seen = "3 times, 2026-11-20T00:00:00.000Z to 2026-11-21T00:00:00.000Z";

	test("takes lines by hand, with any white space and comments", () => {
		const text = `# mine\n\n  Set   ingress tcp 22 from any\r\nIgnore egress udp 53 to 10.0.0.53 | ${seen} | to be ignored\n`;
		expect(remembered(text)).toMatchObject([
			{ state: "Set", evidence: null, wasIn: false },
			{ state: "Ignore", evidence: { count: 3 }, wasIn: false },
		]);
		expect(remembered(`Set ingress tcp 22 from any | ${seen}`)).toMatchObject([{ wasIn: true }]);
		expect(remembered(`Set ingress tcp 22 from any | ${seen} | a one-off`)).toMatchObject([{ wasIn: false }]);
	});

	test.each([
		["Allow ingress tcp 22 from any", '"Allow" is no state'],
		["Set ingress tcp 22 from nowhere", '"nowhere" is a name'],
		["Set ingress tcp 22 from any | often", "does not say when it was seen"],
		[`Set ingress tcp 22 from any | ${seen.replace("2026-11-21", "2026-11-19")}`, "does not say when"],
		["Set ingress tcp 22 from any\nIgnore ingress tcp 22 from any", "is there twice"],
	])("%s: %s", (text, message) => {
		expect(readStates("s", text)).toMatchObject({
			ok: false,
			diagnostics: [{ file: "s", line: text.split("\n").length, message: expect.stringContaining(message) }],
		});
	});

	test("has at most a thousand lines of what is learnt, the most frequent", () => {
		const strangers = Array.from({ length: 1200 }, (_, i) =>
			flow(`ingress tcp 22 from 10.${i >> 6}.${i & 63}.1`, { count: 1 + (i % 3) }),
		);
		const lines = statesText(recommended(strangers, { minCount: 9 }), []).split("\n");
		expect(lines.filter((line) => line.startsWith("Learn "))).toHaveLength(1000);
		expect(lines.at(-2)).toBe("# and 200 more that were seen less often");
		expect(lines.join("\n")).not.toContain(
			"| 1 time, 2026-11-20T00:00:00.000Z to 2026-11-21T00:00:00.000Z | a one-off: seen 2",
		);
	});
});

test("a file that recommend made is known by its sum, whatever is changed in it", () => {
	const text = signedText("a: 1\n");
	expect(isUnchanged(text)).toBe(true);
	fc.assert(
		fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
			const changed = `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
			// What stands behind the sum in the first line is only for people.
			const told = at > text.indexOf(". ") + 1 && at < text.indexOf("\n") && !other.includes("\n");
			expect(isUnchanged(changed)).toBe(changed === text || told);
		}),
	);
	expect([isUnchanged(""), isUnchanged("a: 1\n")]).toEqual([false, false]);
});
