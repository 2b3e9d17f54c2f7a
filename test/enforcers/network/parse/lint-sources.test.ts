import { expect, test } from "bun:test";
import { only, policyText } from "../../../engine/support/policy.ts";

function findings(spec: string) {
	return only(policyText(spec)).diagnostics.filter(({ code }) => code.startsWith("never-a-"));
}

const blocks = (...cidrs: string[]) => `[${cidrs.map((cidr) => `{ipBlock: {cidr: "${cidr}"}}`).join(", ")}]`;

test.each([
	"224.0.0.251/32",
	"239.0.0.0/8",
	"255.255.255.255/32",
	"127.0.0.0/8",
	"127.0.0.1/32",
	"ff02::fb/128",
	"::1/128",
])("nothing comes from %s, and an Allow of it shuts the rest out", (cidr) => {
	const [found, ...more] = findings(`action: Allow\ningress: [{from: ${blocks(cidr)}}]`);
	expect(more).toEqual([]);
	expect(found).toMatchObject({
		code: "never-a-source",
		severity: "warning",
		path: "spec.ingress[0].from[0].ipBlock.cidr",
	});
	expect(found?.message).toContain("the rule never matches");
	expect(found?.message).toContain("makes ingress an allow-list");
});

test("beside an entry that can match, it is the entry that never does; a Block makes no allow-list", () => {
	const [found] = findings(`ingress: [{from: ${blocks("10.0.0.0/8", "224.0.0.1/32")}}]`);
	expect(found?.path).toBe("spec.ingress[0].from[1].ipBlock.cidr");
	expect(found?.message).toContain("the entry never matches");
	expect(found?.message).not.toContain("allow-list");
});

test("groups are destinations, and loopback passes before any rule", () => {
	expect(
		findings(`egress: [{to: ${blocks("224.0.0.251/32", "ff02::fb/128", "255.255.255.255/32")}}]`),
	).toEqual([]);
	expect(findings(`egress: [{to: ${blocks("127.0.0.1/32")}}]`).map(({ code }) => code)).toEqual([
		"never-a-destination",
	]);
	expect(findings(`ingress: [{from: ${blocks("0.0.0.0/0", "128.0.0.0/1")}}]`)).toEqual([]);
});
