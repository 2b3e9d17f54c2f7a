/** What nft printed for a ruleset, and what it means for packets. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { convertAll, formats } from "../../src/convert/formats.ts";
import { convertTexts, differences } from "./support/host.ts";

const listed = readFileSync(join(import.meta.dir, "../fixtures/convert/nft-ruleset.json"), "utf8");

describe("a ruleset with sets, maps and chains", () => {
	const host = convertTexts([listed]);

	test.each([
		["Allow", { address: "10.1.2.3", port: 22, interface: "eth7" }],
		["Block", { address: "10.1.2.3", port: 22, interface: "wg0" }],
		["Allow", { address: "192.168.1.9", port: 22, interface: "eth0" }],
		["Block", { address: "192.168.1.10", port: 22, interface: "eth0" }],
		["Allow", { address: "203.0.113.1", port: 8010 }],
		["Allow", { address: "2001:db9::1", port: 443 }],
		["Allow", { address: "2001:db8::1", port: 853, protocol: "udp" }],
		["Block", { address: "2001:db9::1", port: 853, protocol: "udp" }],
		["Allow", { address: "203.0.113.1", port: 5353, protocol: "udp" }],
		["Block", { address: "203.0.113.1", port: 5353, protocol: "sctp" }],
		["Allow", { address: "203.0.113.1", protocol: 1, source: 13 }],
		["Block", { address: "203.0.113.1", protocol: 1, source: 5 }],
		["Allow", { address: "192.0.2.7", port: 9999 }],
		["Allow", { address: "192.0.2.7", port: 25 }],
		["Allow", { address: "192.0.2.7", port: 26 }],
		["Block", { address: "192.0.2.7", port: 21 }],
		["Allow", { address: "203.0.113.1", port: 68, protocol: "udp", source: 67 }],
		["Allow", { address: "203.0.113.1", protocol: 47 }],
		["Block", { address: "2001:db9::1", protocol: 47 }],
		["Allow", { address: "2001:db9::1", protocol: 50 }],
		["Block", { address: "10.9.1.1", direction: "egress", port: 80, interface: "eth0" }],
		["Allow", { address: "10.9.1.1", direction: "egress", port: 80, interface: "wg0" }],
		["Block", { address: "203.0.113.1", direction: "egress", port: 25 }],
		["Allow", { address: "203.0.113.1", direction: "egress", port: 26 }],
	] as const)("%s %j", (expected, asked) => {
		expect(host.verdict(asked)).toBe(expected);
	});

	test("agrees with the source, and what has no counterpart is told by its handle", () => {
		expect(differences(host)).toEqual([]);
		const lost = host.findings.filter(({ kind }) => kind === "lost").map(({ message }) => message);
		expect(lost).toEqual([
			expect.stringContaining("handle 19"),
			expect.stringContaining("ip daddr"),
			expect.stringContaining("handle 35"),
			expect.stringContaining("nat on postrouting"),
		]);
	});
});

const place = { family: "inet", table: "t" };
const base = (name: string, prio: number, policy: string, family = "inet") => ({
	chain: { family, table: "t", name, type: "filter", hook: "input", prio, policy },
});
const rule = (chain: string, ...expr: readonly object[]) => ({ rule: { ...place, chain, expr } });
const tcp = (op: string, right: unknown) => ({
	match: { op, left: { payload: { protocol: "tcp", field: "dport" } }, right },
});
const listing = (...objects: readonly object[]) => JSON.stringify({ nftables: objects });

describe("base chains", () => {
	test("each has to accept, in the order of priorities", () => {
		const host = convertTexts([
			listing(
				base("late", 10, "drop"),
				base("early", -10, "accept"),
				rule("late", tcp(">", 1023), { accept: null }),
				rule("early", tcp("==", 8080), { drop: null }),
			),
		]);
		const verdicts = [1023, 1024, 8080].map((port) => host.verdict({ address: "192.0.2.1", port }));
		expect(verdicts).toEqual(["Block", "Allow", "Block"]);
		expect(differences(host)).toEqual([]);
	});

	test("of one family say nothing of the other", () => {
		const host = convertTexts([
			listing(base("in", 0, "accept", "ip"), {
				rule: { ...place, family: "ip", chain: "in", expr: [{ drop: null }] },
			}),
		]);
		expect(host.verdict({ address: "192.0.2.1", port: 1 })).toBe("Block");
		expect(host.verdict({ address: "2001:db8::1", port: 1 })).toBe("Allow");
		expect(host.findings).toContainEqual(expect.objectContaining({ kind: "changed" }));
	});

	test("portward's own table is left out", () => {
		const own = {
			family: "inet",
			table: "portward",
			name: "in",
			type: "filter",
			hook: "input",
			policy: "drop",
		};
		expect(convertTexts([listing({ chain: own })]).text).toBe("");
	});
});

describe("hostile text", () => {
	const nft = formats.find(({ name }) => name === "nft");
	const convert = (text: string) => nft && convertAll(nft, [{ file: "x", text }]);

	test("what is no JSON, or another, is a problem", () => {
		for (const text of [
			'{"nftables": 1}',
			'{"nftables": [',
			'{"nftables": [a: b]}',
			"[]",
			"",
			`{"nftables":${"[".repeat(5000)}`,
		])
			expect(convert(text)).toMatchObject({ ok: false });
	});

	test("combinations beyond what is followed are a problem", () => {
		const ports = Array.from({ length: 400 }, (_, i) => 2 * i + 1);
		const sport = { payload: { protocol: "tcp", field: "sport" } };
		const match = { match: { op: "==", left: sport, right: { set: ports } } };
		expect(
			convert(listing(base("in", 0, "drop"), rule("in", tcp("==", { set: ports }), match, { accept: null }))),
		).toMatchObject({
			ok: false,
			problems: [{ message: expect.stringContaining("combinations") }],
		});
	});

	test("no JSON makes the reader throw", () => {
		const word = fc.constantFrom(
			"match",
			"left",
			"right",
			"op",
			"payload",
			"meta",
			"key",
			"set",
			"vmap",
			"data",
			"jump",
			"target",
			"accept",
			"elem",
			"val",
			"range",
			"prefix",
		);
		const { value } = fc.letrec<{ value: unknown }>((tie) => ({
			value: fc.oneof(
				{ maxDepth: 6 },
				fc.constantFrom<unknown>("==", "@s", "in", "tcp", "iifname", 22, -1, null, true, "10.0.0.1"),
				fc.array(tie("value"), { maxLength: 3 }),
				fc.dictionary(word, tie("value"), { maxKeys: 3 }),
			),
		}));
		fc.assert(
			fc.property(fc.array(value, { maxLength: 4 }), (expr) => {
				expect(
					convert(
						JSON.stringify({ nftables: [base("in", 0, "drop"), { rule: { ...place, chain: "in", expr } }] }),
					),
				).toBeDefined();
			}),
			{ numRuns: 300 },
		);
	});
});
