import { expect, test } from "bun:test";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/parse.ts";
import { compileSet, wholeModel } from "../../src/engine/policy-model.ts";
import { readPolicySet, selectionNote } from "../../src/engine/policy-set.ts";
import { Files } from "../cli/support/portward.ts";
import { block, policy } from "../system/support/case.ts";

const here = policy("here", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] });
const elsewhere = policy("elsewhere", {
	nodeSelector: { matchLabels: { role: "another" } },
	action: "Block",
	ingress: [{ from: [block("198.51.100.0/24")] }],
});
const config = defaultConfig();

test("what selects this host is told from what does not", () => {
	using files = new Files({ "a.yaml": here, "b.yaml": elsewhere });
	const set = readPolicySet([files.path], config);
	expect(set.policies.map(({ name }) => name)).toEqual(["here", "elsewhere"]);
	expect(set.selected.map(({ name }) => name)).toEqual(["here"]);
	expect(selectionNote(set)).toBe("1 of 2 policies do not select this host");
});

test("a file that is named twice, or beside its directory, is read once", () => {
	using files = new Files({ "a.yaml": here });
	const file = join(files.path, "a.yaml");
	const set = readPolicySet([files.path, file, file], config);
	expect(set.policies).toHaveLength(1);
	expect(set.diagnostics).toEqual([]);
});

test("two policies of one name are both refused", () => {
	using files = new Files({ "a.yaml": here, "b.yaml": here });
	const set = readPolicySet([files.path], config);
	expect(set.selected.length).toBeLessThan(2);
	expect(set.diagnostics.map(({ severity }) => severity)).toContain("error");
});

test("a path that is not there leaves the whole unknown", () => {
	using files = new Files({});
	const read = compileSet(join(files.path, "none"), config);
	expect(read.set.unread).toBe(true);
	expect(wholeModel(read)).toBeNull();
});

test("a model is whole only where everything could be read", () => {
	using files = new Files({ "a.yaml": here });
	expect(wholeModel(compileSet(files.path, config))?.ingress.rules).toHaveLength(1);
	using broken = new Files({ "a.yaml": here, "b.yaml": "kind: [" });
	expect(wholeModel(compileSet(broken.path, config))).toBeNull();
});
