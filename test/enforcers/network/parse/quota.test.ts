import { describe, expect, test } from "bun:test";
import { parseLimit, parseWindow } from "../../../../src/enforcers/network/parse/quota.ts";
import { expectRefused, expectWarned, firstRule, policyText } from "../../../engine/support/policy.ts";

const at = "spec.ingress[0]";
const rule = (text: string): string => `ingress: [{${text}}]`;

describe("an amount", () => {
	test.each<[string, number]>([
		["1KB", 1024],
		["500kb", 512_000],
		["2MB", 2_097_152],
		["2 mb", 2_097_152],
		["3G", 3 * 2 ** 30],
		[" 10M ", 10 * 2 ** 20],
		["8388607GB", 8_388_607 * 2 ** 30],
	])("%s", (text, bytes) => {
		expect(parseLimit(text)).toEqual({ ok: true, bytes, bare: false });
	});

	test("without a unit is GB", () => {
		expect(parseLimit("2")).toEqual({ ok: true, bytes: 2 * 2 ** 30, bare: true });
	});

	test.each([
		"",
		"MB",
		"-1MB",
		"1.5GB",
		"5TB",
		"1B",
		"1e3",
		"0",
		"0MB",
		"8388608GB",
		"9".repeat(17),
		"1GB\nx",
	])("%j is none", (text) => {
		expect(parseLimit(text)).toMatchObject({ ok: false });
	});
});

describe("a window", () => {
	test.each<[string, number, boolean]>([
		["20m", 1200, false],
		["1h30m", 5400, false],
		["1.5h", 5400, false],
		["7d", 604_800, false],
		["1d12h", 129_600, false],
		["1000ms", 1, false],
		["+.5m", 30, false],
		["1500ms", 1, true],
		["3650d", 315_360_000, false],
	])("%s", (text, seconds, rounded) => {
		expect(parseWindow(text)).toEqual({ ok: true, seconds, rounded });
	});

	test.each(["", "1", "m", "-1m", "1w", "500ms", "0s", "3651d", "1m ", "1 m", ".s", "1m2", "9".repeat(70)])(
		"%j is none",
		(text) => {
			if (text === "1m ") expect(parseWindow(text)).toMatchObject({ ok: true });
			else expect(parseWindow(text)).toMatchObject({ ok: false });
		},
	);
});

test("a rule has its quota, and no other has one", () => {
	const { quota } = firstRule(rule('limit: 2MB, duration: "20m"'));
	expect(quota).toEqual({ bytes: 2_097_152, limit: "2MB", seconds: 1200 });
	expect(firstRule("ingress: [{}]")).not.toHaveProperty("quota");
});

test.each<[string, string]>([
	["limit: 5, duration: 1d", `limit-unit ${at}.limit`],
	['limit: "5", duration: 1d', `limit-unit ${at}.limit`],
	["limit: 5MB, duration: 1500ms", `duration-rounded ${at}.duration`],
])("%s is warned of", (text, finding) => {
	expectWarned(policyText(rule(text)), finding);
});

test.each<[string, string, string]>([
	["limit: 2MB", `missing-field ${at}.limit`, "add duration"],
	["duration: 1d", `missing-field ${at}.duration`, "add limit"],
	["limit: 5TB, duration: 1d", `bad-limit ${at}.limit`, "write a whole number"],
	["limit: 0, duration: 1d", `bad-limit ${at}.limit`, "write an amount above 0"],
	["limit: 1MB, duration: 500ms", `bad-duration ${at}.duration`, "write at least 1s"],
	["limit: 1MB, duration: 20", `bad-duration ${at}.duration`, "write a number with"],
	["limit: [1MB], duration: 1d", `wrong-type ${at}.limit`, "write one value"],
	[
		"limit: 1MB, duration: 1d, action: Audit, rateLimit: {connections: 1/minute}",
		`limits-with-quota ${at}`,
		"write two rules",
	],
	["level: Pod", `level-in-rule ${at}.level`, "leave it out"],
])("%s is refused", (text, finding, hint) => {
	expectRefused(policyText(rule(text)), finding, hint);
});

test("level is ignored with a warning, and refused where it is no level", () => {
	expectWarned(policyText("level: Policy\ningress: [{}]"), "level-ignored spec.level");
	expectRefused(policyText("level: Node\ningress: [{}]"), "bad-level spec.level", "leave it out");
});
