import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CompiledRule } from "../../../../../src/enforcers/network/compile/plan.ts";
import { RuleUseKeeper, ruleUseFile } from "../../../../../src/enforcers/network/run/use/rule-use-keeper.ts";
import { readState, writeState } from "../../../../../src/state/state-file.ts";

let directory: string;
let told: string[];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-use-"));
	told = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const keeper = (at = directory) => new RuleUseKeeper(at, (message) => told.push(message));
const rule: CompiledRule = {
	id: "a1",
	policy: "web",
	index: 0,
	direction: "ingress",
	action: "Allow",
	severity: 1,
	tags: [],
	message: "",
	place: null,
	counter: "c_a1",
	logCounter: null,
};
const at = (packets: number) => ({ c_a1: { packets, bytes: 0 } });
const packetsKept = () => {
	const read = readState(join(directory, ruleUseFile));
	return read.ok ? read.value : read.reason;
};

test("what was seen outlives the daemon, and is written once a minute at most", () => {
	const first = keeper();
	first.take([rule], at(1), 0);
	expect(packetsKept()).toMatchObject({
		version: 1,
		rules: [["a1", expect.any(Number), expect.any(Number), 1]],
	});
	first.take([rule], at(2), 59_999);
	expect(packetsKept()).toMatchObject({ rules: [["a1", expect.any(Number), expect.any(Number), 1]] });
	first.take([rule], at(2), 60_000);
	expect(packetsKept()).toMatchObject({ rules: [["a1", expect.any(Number), expect.any(Number), 2]] });
	first.take([rule], at(3), 60_001);
	first.stop();
	const second = keeper();
	second.take([rule], at(3), 0);
	expect(second.uses.latest).toEqual(first.uses.latest);
	expect(told).toEqual([]);
});

test("where there is nothing to tell, nothing is written", () => {
	const none = keeper();
	none.take([], {}, 0);
	none.stop();
	expect(existsSync(join(directory, ruleUseFile))).toBe(false);
});

test.each([
	["another version's", () => void writeState(join(directory, ruleUseFile), { version: 2, rules: [] })],
	[
		"wrong",
		() => void writeState(join(directory, ruleUseFile), { version: 1, rules: [["a1", -1, null, 0]] }),
	],
	["damaged", () => writeFileSync(join(directory, ruleUseFile), "{}")],
])("what is %s is passed over, and told", (_, write) => {
	write();
	const ours = keeper();
	expect(ours.uses.kept).toEqual([]);
	expect(told).toHaveLength(1);
	expect(told[0]).toContain(ruleUseFile);
});

test("what cannot be written is told once, and tried again", () => {
	const file = join(directory, "no-directory");
	writeFileSync(file, "");
	const ours = keeper(file);
	told.length = 0;
	ours.take([rule], at(1), 0);
	ours.take([rule], at(1), 60_000);
	expect(told).toHaveLength(1);
	rmSync(file);
	ours.take([rule], at(1), 120_000);
	expect(existsSync(join(file, ruleUseFile))).toBe(true);
});
