/** Copies of sets whose groups have lists, read as the daemon reads them. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exchangePaths } from "../../../ffi/rename.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { digestPolicies, stagePolicies } from "../../../src/daemon/pending/pending-stager.ts";
import { PolicyEngine } from "../../../src/engine/policy-engine.ts";
import { fileOperations } from "../../../src/state/pending-files.ts";
import { changeDirectory } from "../../../src/state/pending-record.ts";
import { policy } from "../../system/support/case.ts";

let home: string;
let fresh: string;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-stager-"));
	fresh = join(home, "new");
	for (const directory of ["policies", "new"]) {
		put(`${directory}/group.yaml`, group());
		put(`${directory}/policy.yaml`, naming);
		put(`${directory}/bad.txt`, many(10));
	}
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const group = (more: object = {}) =>
	JSON.stringify({
		apiVersion: "portward.io/v1",
		kind: "PortwardAddressGroup",
		metadata: { name: "bad" },
		spec: { file: "bad.txt", ...more },
	});
const naming = policy("no-bad", { action: "Block", ingress: [{ from: [{ group: "bad" }] }] });
const many = (count: number) => Array.from({ length: count }, (_, i) => `10.0.0.${i}\n`).join("");

function put(path: string, text: string): void {
	mkdirSync(join(home, dirname(path)), { recursive: true });
	writeFileSync(join(home, path), text);
}

const config = () => ({
	...defaultConfig(),
	policyDir: join(home, "policies"),
	stateDir: join(home, "state"),
});
const common = () => ({ checkPermissions: true, hostname: "h", config: config() });
const copy = () => join(changeDirectory(config().stateDir, "0123456789abcdef"), "policies");

/** What the policy directory has is in force. */
function enforce(): void {
	const { policyDir: directory, stateDir: stateDirectory } = config();
	const engine = new PolicyEngine({ ...common(), directory, stateDirectory });
	engine.reload(config());
	expect(engine.keep()).toBeNull();
}

const operations = fileOperations(exchangePaths, async () => {});
const settings = () => ({ ...common(), directory: copy(), stateDirectory: dirname(copy()) });

async function stage(from = fresh) {
	rmSync(dirname(copy()), { recursive: true, force: true });
	const staged = await stagePolicies({ from, name: "NEW", settings: settings() }, operations);
	return staged.ok ? { ...staged, digest: staged.digest.length } : staged;
}

const digest = (directory: string, isCopy: boolean) =>
	digestPolicies({ directory, checkPermissions: true, copy: isCopy });

const blocks = () =>
	new PolicyEngine(settings()).reload(config()).feeds.map(({ file, blocks }) => [file, blocks]);

test("a list that is not as it was goes along, and is read in the copy", async () => {
	put("new/bad.txt", many(12));
	expect(await stage()).toEqual({ ok: true, digest: 64, lists: 1 });
	expect(readFileSync(join(copy(), "bad.txt"), "utf8")).toBe(many(12));
	// It is told by the name that it will have.
	expect(blocks()).toEqual([[join(home, "policies/bad.txt"), 12]]);
});

test("a copy is known by its policies and its lists, another directory by its policies", async () => {
	put("new/bad.txt", many(12));
	const staged = await stagePolicies({ from: fresh, name: "NEW", settings: settings() }, operations);
	const [known, of] = [staged.ok ? staged.digest : "", await digest(join(home, "policies"), false)];
	expect([await digest(copy(), true), await digest(fresh, false)]).toEqual([known, of]);
	expect(known).not.toBe(of ?? "");
	writeFileSync(join(copy(), "bad.txt"), many(11));
	expect(await digest(copy(), true)).not.toBe(known);
});

test("a list that is the same, or missing, stays live where it is", async () => {
	expect(await stage()).toMatchObject({ ok: true, lists: 0 });
	rmSync(join(fresh, "bad.txt"));
	expect(await stage()).toMatchObject({ ok: true, lists: 0 });
	expect(existsSync(join(copy(), "bad.txt"))).toBe(false);
	expect(blocks()).toEqual([[join(home, "policies/bad.txt"), 10]]);
	put("policies/bad.txt", many(11));
	expect(blocks()).toEqual([[join(home, "policies/bad.txt"), 11]]);
	expect(await stage(config().policyDir)).toMatchObject({ ok: true, lists: 0 });
});

test("what would be refused once it is confirmed is refused at once, by the name that was asked for", async () => {
	enforce();
	put("new/bad.txt", many(4));
	const refused = await stage();
	expect(refused).toEqual({
		ok: false,
		problems: [expect.stringContaining("shrank from 10 to 4 blocks (60%)")],
	});
	put("new/group.yaml", group({ maxShrink: "60%" }));
	expect(await stage()).toMatchObject({ ok: true, lists: 1 });
	put("new/bad.txt", "10.0.0.1\nnonsense\n");
	expect(await stage()).toEqual({
		ok: false,
		problems: [expect.stringMatching(/^NEW\/bad\.txt:2:1: "nonsense" is a name/)],
	});
	rmSync(join(fresh, "bad.txt"));
	rmSync(join(home, "policies/bad.txt"));
	expect(await stage()).toMatchObject({ ok: false, problems: [expect.stringContaining("does not exist")] });
});
