import { describe, expect, test } from "bun:test";
import { networkPolicySchema } from "../../../../src/enforcers/network/parse/json-schema.ts";
import { expectRefused, expectWarned, firstRule, policyText } from "../../../engine/support/policy.ts";
import { takes } from "../../../support/json-schema.ts";

const at = "spec.ingress[0]";
const rule = (text: string): string => `ingress: [{action: Allow, ${text}}]`;
const rate = (text: string): string => rule(`rateLimit: {${text}}`);
const open = (text: string): string => rule(`connectionLimit: {${text}}`);

describe("what a limit means", () => {
	test("as the issue has it", () => {
		const limits = firstRule(
			rule(
				"rateLimit: {connections: 10/minute, burst: 7, per: source, prefix6: 56}, connectionLimit: {max: 20, per: rule}, exceedAction: Audit",
			),
		).limits;
		expect(limits).toEqual({
			rate: { connections: 10, unit: "minute", burst: 7, per: "source", prefix6: 56 },
			connections: { max: 20, per: "rule", prefix6: 128 },
			exceedAction: "Audit",
		});
	});

	test("what is left out", () => {
		expect(firstRule(rate("connections: 1000000/second")).limits).toEqual({
			rate: { connections: 1_000_000, unit: "second", burst: 5, per: "source", prefix6: 64 },
			exceedAction: "Block",
		});
		expect(firstRule(open("max: 1000")).limits).toEqual({
			connections: { max: 1000, per: "source", prefix6: 64 },
			exceedAction: "Block",
		});
		expect(firstRule("ingress: [{action: Allow}]").limits).toBeUndefined();
	});

	test("words in any case, and units as they are", () => {
		const { limits } = firstRule(
			`ingress: [{action: audit, exceedAction: AUDIT, connectionLimit: {max: 1, per: Rule}}]`,
		);
		expect(limits).toMatchObject({ exceedAction: "Audit", connections: { per: "rule" } });
	});
});

describe("what is wrong has a place, and what to write", () => {
	test.each<[string, string, string, string]>([
		[rate("burst: 5"), "missing-field", `${at}.rateLimit`, "connections: 10/minute"],
		[rate("connections: "), "empty-field", `${at}.rateLimit.connections`, "connections: 10/minute"],
		[rate("connections: 10"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 0/minute"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 10/Minute"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 1000001/day"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 1/week"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 1/minute; drop"), "bad-rate", `${at}.rateLimit.connections`, "10/minute"],
		[rate("connections: 1/day, burst: 31"), "burst-too-large", `${at}.rateLimit.burst`, "at most 30"],
		[rate("connections: 1/day, burst: 0"), "out-of-range", `${at}.rateLimit.burst`, "from 1 to 10000"],
		[rate("connections: 1/day, burst: 10001"), "out-of-range", `${at}.rateLimit.burst`, "from 1 to 10000"],
		[rate("connections: 1/day, prefix6: 129"), "out-of-range", `${at}.rateLimit.prefix6`, "from 1 to 128"],
		[rate("connections: 1/day, per: sources"), "bad-per", `${at}.rateLimit.per`, "source"],
		[rate("connections: 1/day, max: 4"), "unknown-field", `${at}.rateLimit.max`, ""],
		[rule("rateLimit: 10/minute"), "wrong-type", `${at}.rateLimit`, "{connections: 10/minute}"],
		[rule("connectionLimit: 20"), "wrong-type", `${at}.connectionLimit`, "{max: 20}"],
		[rule("rateLimit: "), "empty-field", `${at}.rateLimit`, "connections: 10/minute"],
		[open("max: 1001"), "out-of-range", `${at}.connectionLimit.max`, "from 1 to 1000"],
		[open("max: 0"), "out-of-range", `${at}.connectionLimit.max`, "from 1 to 1000"],
		[open("per: rule"), "missing-field", `${at}.connectionLimit`, "max: 20"],
		[rule("connectionLimit: "), "empty-field", `${at}.connectionLimit`, "max: 20"],
		[rule("exceedAction: Block"), "no-limit", `${at}.exceedAction`, "rateLimit or connectionLimit"],
		[
			rule("connectionLimit: {max: 1}, exceedAction: Allow"),
			"bad-exceedaction",
			`${at}.exceedAction`,
			"Block, Audit",
		],
		["ingress: [{connectionLimit: {max: 1}}]", "limit-of-block", `${at}.connectionLimit`, "Allow or Audit"],
		[
			"ingress: [{limit: 5GB, duration: 1d, connectionLimit: {max: 1}}]",
			"limits-with-quota",
			at,
			"write two rules",
		],
		["connectionLimit: {max: 1}\ningress: [{}]", "misplaced-limit", "spec.connectionLimit", "into a rule"],
	])("%s", (text, code, path, hint) => {
		expectRefused(policyText(text), `${code} ${path}`, hint);
	});

	test("prefix6 where it says nothing", () => {
		expectWarned(
			policyText(rate("connections: 1/day, per: rule, prefix6: 64")),
			`no-effect ${at}.rateLimit.prefix6`,
		);
	});
});

test("beside the quota of an Allow they stand", () => {
	const { limits, quota } = firstRule(rule("limit: 5GB, duration: 1d, connectionLimit: {max: 1}"));
	expect([limits?.connections?.max, quota === undefined]).toEqual([1, false]);
});

test("the schema takes what is right, and refuses what is wrong in form", () => {
	const policy = (one: object) => ({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name: "a" },
		spec: { nodeSelector: { matchLabels: { role: "a" } }, egress: [{ action: "Allow", ...one }] },
	});
	const rateLimit = { connections: "10/minute", burst: 5, per: "source", prefix6: 64 };
	for (const right of [{ rateLimit }, { connectionLimit: { max: 20, per: "Rule" }, exceedAction: "audit" }])
		expect([right, takes(policy(right), networkPolicySchema)]).toEqual([right, true]);
	for (const wrong of [
		{ rateLimit: { ...rateLimit, connections: "10/week" } },
		{ rateLimit: { burst: 5 } },
		{ rateLimit: { ...rateLimit, per: "host" } },
		{ connectionLimit: { max: 1001 } },
		{ connectionLimit: {} },
		{ exceedAction: "Allow" },
	])
		expect([wrong, takes(policy(wrong), networkPolicySchema)]).toEqual([wrong, false]);
});
