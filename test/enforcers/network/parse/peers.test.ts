/** Ends of IPv6 addresses in `from` and `to`; blocks are in rule.test.ts, groups in link-groups.test.ts. */

import { describe, expect, test } from "bun:test";
import { formatCidr } from "../../../../src/base/cidr.ts";
import { blockText } from "../../../../src/enforcers/network/model.ts";
import { expectRefused, expectWarned, firstRule, policyText, valid } from "../../../engine/support/policy.ts";

const from = (text: string): string => `ingress: [{from: [{ipBlock: ${text}}]}]`;
const peerOf = (text: string) => {
	const [peer] = firstRule(from(text)).peers;
	if (peer === undefined) throw new Error("no peer");
	return peer;
};

describe("an end of addresses", () => {
	test("is read with the block around it", () => {
		const whole = peerOf('{cidr: "::1234:5678/::ffff:ffff"}');
		expect([blockText(whole), formatCidr(whole.cidr)]).toEqual(["::1234:5678/::ffff:ffff", "::/0"]);
		const part = peerOf('{cidr: "2001:DB8::5/ffff:ffff::ff"}');
		expect([blockText(part), formatCidr(part.cidr)]).toEqual(["2001:db8::5/ffff:ffff::ff", "2001:db8::/32"]);
	});

	test("under a mask of leading ones is a block", () => {
		const { suffix, cidr } = peerOf('{cidr: "2001:db8::/ffff:ffff::"}');
		expect([suffix, formatCidr(cidr)]).toEqual([undefined, "2001:db8::/32"]);
	});

	test("takes blocks as exceptions, also such as are not all inside", () => {
		const peer = peerOf('{cidr: "::5/::ff", except: ["2001:db8::/32", "2001:db9::5"]}');
		expect(peer.except.map(formatCidr)).toEqual(["2001:db8::/32", "2001:db9::5/128"]);
	});

	test.each([
		['{cidr: "::1:2/::ffff"}', "bad-cidr", "write ::2/::ffff"],
		["{cidr: 10.0.0.1/0.255.0.255}", "bad-cidr", "one entry for each block"],
		['{cidr: "10.0.0.1/::ff"}', "bad-cidr", ""],
		['{cidr: " ::5/::ff"}', "bad-cidr", "write ::5/::ff"],
		['{cidr: "::5/::ff", except: ["::6"]}', "except-outside", "a part of its own cidr"],
		['{cidr: "::5/::ff", except: [10.0.0.0/8]}', "except-outside", ""],
		[
			'{cidr: "::/0", except: ["::5/::ff"]}',
			"bad-cidr",
			"it makes an exception of a rule about a block around it",
		],
	])("%s is refused", (text, code, hint) => {
		const place = text.includes("except") ? "except[0]" : "cidr";
		expectRefused(policyText(from(text)), `${code} spec.ingress[0].from[0].ipBlock.${place}`, hint);
	});

	test("of which its exceptions leave nothing is warned of", () => {
		expectWarned(
			policyText(from('{cidr: "::5/::ff", except: ["::/0"]}')),
			"matches-nothing spec.ingress[0].from[0].ipBlock.except[0]",
		);
	});

	test("has no quota", () => {
		const rule = '{from: [{ipBlock: {cidr: "::5/::ff"}}], limit: 1GB, duration: 1d}';
		expectRefused(policyText(`ingress: [${rule}]`), "suffix-with-quota spec.ingress[0]", "two rules");
	});

	test("may stand beside blocks and groups", () => {
		const text =
			'ingress: [{from: [{ipBlock: {cidr: "::5/::ff"}}, {ipBlock: {cidr: 10.0.0.0/8}}, {group: g}]}]';
		const [rule] = valid(policyText(text)).ingress;
		expect(rule?.groups?.own.map(blockText)).toEqual(["::5/::ff", "10.0.0.0/8"]);
	});
});
