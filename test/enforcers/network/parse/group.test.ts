import { describe, expect, test } from "bun:test";
import { formatCidr } from "../../../../src/base/cidr.ts";
import { type AddressGroup, groupPart } from "../../../../src/enforcers/network/model.ts";
import { brief, expectRefused, expectWarned, only, policyText } from "../../../engine/support/policy.ts";

const text = (spec: string) =>
	`apiVersion: portward.io/v1\nkind: PortwardAddressGroup\nmetadata: {name: office}\nspec: ${spec}\n`;

function group(spec: string): AddressGroup {
	const { policy, diagnostics } = only(text(spec));
	const [found] = policy === null ? [] : groupPart.all([policy]);
	if (found === undefined) throw new Error(`refused: ${brief(diagnostics).join("; ")}`);
	return found;
}

describe("a group", () => {
	test("has blocks, exceptions and a file", () => {
		const read = group('{cidrs: [10.0.0.0/8, "2001:db8::/32"], except: [10.1.0.0/16], file: bad.txt}');
		expect(read.cidrs.map(({ cidr }) => formatCidr(cidr))).toEqual(["10.0.0.0/8", "2001:db8::/32"]);
		expect(read.except.map(formatCidr)).toEqual(["10.1.0.0/16"]);
		expect(read.feed).toMatchObject({ file: "bad.txt", maxShrink: 50, unsigned: false });
	});

	test.each([
		["30", 30],
		["0", 0],
		["100%", 100],
		['"7 %"', 7],
	])("maxShrink: %s", (written, percent) => {
		expect(group(`{file: a, maxShrink: ${written}}`).feed?.maxShrink).toBe(percent);
	});

	test("selects every host", () => {
		const { policy } = only(text("{cidrs: [10.0.0.0/8]}"));
		expect(policy?.nodeSelector.matchLabels).toEqual({ "kubernetes.io/hostname": "*" });
		expect(policy?.action).toBeNull();
	});

	test.each([
		["{}", "missing-field spec", "write cidrs"],
		["{cidrs: [nonsense]}", "bad-cidr spec.cidrs[0]", "10.0.1.0/24"],
		["{cidrs: [any]}", "bad-cidr spec.cidrs[0]", "0.0.0.0/0 and ::/0"],
		["{cidrs: 10.0.0.0/8}", "wrong-type spec.cidrs", "write a list"],
		["{file: a, maxShrink: 101}", "out-of-range spec.maxShrink", "from 0 to 100"],
		["{file: a, maxShrink: half}", "bad-percentage spec.maxShrink", "50%"],
		["{file: a, unsigned: yes please}", "wrong-type spec.unsigned", "unsigned: true"],
		["{file: a/}", "bad-path spec.file", "absolute or relative"],
		['{file: "a\\0b"}', "bad-path spec.file", "absolute or relative"],
		["{cidrs: [10.0.0.0/8], groups: [x]}", "nested-group spec.groups", "name all of them in the rule"],
		["{cidrs: [10.0.0.0/8], nodeSelector: {}}", "unknown-field spec.nodeSelector", "policies"],
	])("%s is refused", (spec, finding, hint) => {
		expectRefused(text(spec), finding, hint);
	});

	test.each([
		["{cidrs: []}", "empty-group spec"],
		["{cidrs: [10.0.0.0/8, 10.0.0.0/8]}", "duplicate-block spec.cidrs[1]"],
		["{cidrs: [10.0.0.1/8]}", "host-bits spec.cidrs[0]"],
		["{cidrs: [10.0.0.0/8], maxShrink: 10%}", "no-feed spec.maxShrink"],
	])("%s is warned of", (spec, finding) => {
		expectWarned(text(spec), finding);
	});

	test("has another apiVersion than policies", () => {
		expectRefused(
			text("{cidrs: [10.0.0.0/8]}").replace("portward.io/v1", "security.kubearmor.com/v1"),
			"bad-api-version apiVersion",
			"portward.io/v1",
		);
	});
});

describe("an entry that names a group", () => {
	const rule = (entry: string) => policyText(`ingress: [{from: [${entry}]}]`);

	test("matches nobody until the group is known", () => {
		const { policy } = only(rule("{group: office}"));
		expect(
			JSON.stringify(policy, (_, value) => (typeof value === "bigint" ? String(value) : value)),
		).toContain(
			'"peers":[{"cidr":{"family":4,"base":"0","prefix":32},"except":[{"family":4,"base":"0","prefix":32}]',
		);
	});

	test.each([
		["{group: office, ipBlock: {cidr: 10.0.0.0/8}}", "two-peers spec.ingress[0].from[0]", "two entries"],
		["{group: [office]}", "wrong-type spec.ingress[0].from[0].group", "without brackets"],
		["{group: Office!}", "bad-name spec.ingress[0].from[0].group", "metadata.name"],
	])("%s is refused", (entry, finding, hint) => {
		expectRefused(rule(entry), finding, hint);
	});
});
