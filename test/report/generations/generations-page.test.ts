import { expect, test } from "bun:test";
import type { Generation } from "../../../src/base/generation.ts";
import { generationsReply, generationsSection } from "../../../src/report/generations/generations-page.ts";
import { largeGeneration, rolledBackGeneration, sampleGeneration } from "./sample-generations.ts";

const page = (...generations: Generation[]) => generationsSection(generations).text;

test("each change opens by itself, and says what changed and who confirmed it", () => {
	const text = page(sampleGeneration);
	expect(text.match(/<details>/g)).toHaveLength(1);
	for (const part of [
		"2026-02-23 04:31:35",
		">confirmed</span> 8 rules, 2 verdicts of new connections",
		"change 0123456789abcdef from /root/new, asked for by process 7 of user 0: confirmed 2026-02-23T04:32:00.000Z (from another connection; by process 9 of user 0)",
		"<li>added: new.yaml</li><li>removed: old.yaml</li><li>the settings changed</li>",
		"<li>changed: Block web ingress[1]</li><li>and 7 more</li>",
		"<li>Allow → Block: ingress tcp 443 on eth0 from 192.0.2.0/24 and 2 more</li>",
		"<li>Block → Allow: egress icmp type 8 to 0.0.0.0/0</li>",
		"<li>Allow, as before: egress any protocol on eth1 to 0.0.0.0/0</li>",
	])
		expect(text).toContain(part);
});

test("a rollback, a change that waits and one that was too large say so", () => {
	expect(page(rolledBackGeneration)).toContain("took change 0123456789abcdef back");
	const text = page(largeGeneration);
	expect(text).toContain(">pending</span> too large");
	expect(text).toContain("change f from /etc/portward/policies: waits for its confirmation");
	expect(text).not.toContain("<h3>Rules</h3>");
	expect(page({ ...sampleGeneration, confirmation: null })).toContain(">in force</span>");
	const confirmation = { ...sampleGeneration.confirmation, result: "rolled_back" } as never;
	expect(page({ ...sampleGeneration, confirmation })).toContain(">rolled back</span>");
	expect(page()).toContain("No change yet.");
});

test("what others chose is text: no tag, and no character that reorders it", () => {
	const hostile = `"><script>alert(1)</script>\u202e`;
	const [box] = sampleGeneration.verdicts?.told ?? [];
	const [rule] = sampleGeneration.rules?.told ?? [];
	if (box === undefined || rule === undefined) throw new Error("the sample has both");
	const text = page({
		...sampleGeneration,
		files: { told: [{ change: "added", file: hostile }], more: 0 },
		rules: { told: [{ ...rule, policy: hostile, list: hostile }], more: 0 },
		verdicts: { told: [{ ...box, interface: hostile, addresses: [hostile], protocol: hostile }], more: 0 },
		confirmation: {
			id: hostile,
			from: hostile,
			asker: null,
			result: "confirmed",
			settled: hostile,
			how: hostile,
		},
	});
	expect(text).not.toContain("<script>");
	expect(text).not.toContain("\u202e");
	expect(text.match(/&lt;script&gt;/g)?.length).toBe(10);
	expect(page({ ...largeGeneration, problem: hostile })).not.toContain("<script>");
	expect(page({ ...rolledBackGeneration, rollbackOf: hostile })).not.toContain("<script>");
});

test("as an answer it has all fields", () => {
	const { status, body } = generationsReply([sampleGeneration]);
	expect(status).toBe(200);
	expect(JSON.parse(String(body))).toEqual({ generations: [sampleGeneration] });
});
