import { expect, test } from "bun:test";
import { type SinkFilter, wants } from "../../src/sinks/filter.ts";
import { numbered } from "./support/settings.ts";

const all: SinkFilter = { policies: [], actions: [], minSeverity: 1, kinds: [] };
const blocked = numbered(1, { Action: "Block", Severity: "8" });

test.each<[string, Partial<SinkFilter>, boolean]>([
	["nothing", {}, true],
	["its policy", { policies: ["other", "np1"] }, true],
	["another policy", { policies: ["other"] }, false],
	["its action", { actions: ["Block"] }, true],
	["another action", { actions: ["Audit", "Allow"] }, false],
	["its severity", { minSeverity: 8 }, true],
	["a higher one", { minSeverity: 9 }, false],
	["its kind", { kinds: ["MatchedNetworkPolicy"] }, true],
	["another kind", { kinds: ["SystemEvent"] }, false],
	["one of two", { policies: ["np1"], actions: ["Audit"] }, false],
])("asked for %s", (_, filter, wanted) => {
	expect(wants({ ...all, ...filter }, blocked)).toBe(wanted);
});

test("a Block that is only told is an Audit; an alert about a policy is that policy's", () => {
	expect(wants({ ...all, actions: ["Audit"] }, numbered(1, { Action: "Audit (Block)" }))).toBe(true);
	const summary = numbered(1, { PolicyName: "", EventData: { Policy: "np1" } });
	expect(wants({ ...all, policies: ["np1"] }, summary)).toBe(true);
	expect(wants({ ...all, policies: ["np1"] }, numbered(1, { PolicyName: "", EventData: {} }))).toBe(false);
});
