/** What promote does without a daemon; with one, see test/system/daemon/staging.test.ts. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Files, portward } from "../support/portward.ts";

const document = (name: string, mode: string) => `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: ${name}
  annotations:
    portward.io/mode: ${mode}
spec:
  nodeSelector: {matchLabels: {kubernetes.io/hostname: "*"}}
  action: Block
  ingress:
  - ports: [{protocol: TCP, port: 23}] # telnet
`;

let own: Files;
let apart: Files;
let config: string;

beforeEach(() => {
	own = new Files({ "a.yaml": `${document("a", "staged")}---\n${document("b", "enforced")}` });
	apart = new Files({ "a.yaml": `${document("a", "staged")}---\n${document("b", "enforced")}` });
	config = join(own.path, "settings");
	own.put("settings", settings());
});
afterEach(() => {
	own[Symbol.dispose]();
	apart[Symbol.dispose]();
});

const settings = (more: Readonly<Record<string, unknown>> = {}) =>
	JSON.stringify({
		policyDir: own.path,
		stateDir: join(own.path, "state"),
		status: { address: `unix:${own.path}/none.sock` },
		...more,
	});

const promote = (...args: readonly string[]) => portward("promote", ...args, "--config", config);

describe("refused", () => {
	test.each([
		[["c"], 'has no valid policy "c"'],
		[["a", "b"], '"b" is not staged'],
	])("%j", async (names, message) => {
		const { code, error } = await promote(...names);
		expect(code).toBe(1);
		expect(error).toContain(message);
	});

	test("a directory that has to be signed", async () => {
		own.put("settings", settings({ policySignature: "required" }));
		const { code, error } = await promote("a", "--yes");
		expect(code).toBe(1);
		expect(error).toContain("promote them where they are signed, with --policy-dir");
	});

	test("what is no request", async () => {
		expect((await promote()).code).toBe(64);
		expect((await promote("a", "--confirm-within", "1s")).code).toBe(64);
	});

	test("without a daemon, and nothing changes", async () => {
		const before = readFileSync(join(own.path, "a.yaml"), "utf8");
		const { code, error } = await promote("a", "--yes");
		expect(code).toBe(1);
		expect(error).toContain("nothing is known of what they did");
		expect(readFileSync(join(own.path, "a.yaml"), "utf8")).toBe(before);
	});
});

test("another directory is changed in place, with --yes", async () => {
	const file = join(apart.path, "a.yaml");
	const before = readFileSync(file, "utf8");
	const shown = await promote("a", "--policy-dir", apart.path);
	expect(shown.code).toBe(2);
	expect(shown.out).toContain("a: not evaluated");
	expect(readFileSync(file, "utf8")).toBe(before);
	const done = await promote("a", "--policy-dir", apart.path, "--yes", "--json");
	expect(done.code).toBe(0);
	expect(JSON.parse(done.out)).toMatchObject({
		ok: true,
		policies: [{ name: "a", kind: "KubeArmorNetworkPolicy", file, line: 1, staged: null }],
		messages: [
			"a: not evaluated",
			`promoted in ${apart.path}; enforce it with portward apply --policy-dir ${apart.path}`,
		],
	});
	expect(readFileSync(file, "utf8")).toBe(
		before.replace("  annotations:\n    portward.io/mode: staged\n", ""),
	);
});

test("nothing is written where another file is broken", async () => {
	apart.put("broken.yaml", document("c", "enforced").replace("Block", "Blok"));
	const file = join(apart.path, "a.yaml");
	const before = readFileSync(file, "utf8");
	const broken = join(apart.path, "broken.yaml");
	for (const more of [[], ["--yes"]]) {
		const { code, error, out } = await promote("a", "--policy-dir", apart.path, ...more);
		expect(code).toBe(1);
		expect(error).toContain(`${broken}:9:11: error`);
		expect(error).toContain("these policies cannot be enforced as they are");
		expect(out).not.toContain("--yes");
		expect(readFileSync(file, "utf8")).toBe(before);
	}
	const { code, out } = await promote("a", "--policy-dir", apart.path, "--yes", "--json");
	expect(code).toBe(1);
	const { ok, diagnostics, problems } = JSON.parse(out);
	expect(ok).toBe(false);
	expect(diagnostics).toContainEqual(expect.objectContaining({ file: broken, line: 9, severity: "error" }));
	expect(problems.join()).toContain("these policies cannot be enforced as they are");
});

test("the plan names the real files, whatever the directory is called", async () => {
	const odd = join(apart.path, "odd$&$`name");
	mkdirSync(odd);
	writeFileSync(join(odd, "a.yaml"), document("a", "staged"));
	const shown = await promote("a", "--policy-dir", odd);
	expect(shown.code).toBe(2);
	expect(shown.out).toContain(`${odd} against`);
	const { plan } = JSON.parse((await promote("a", "--policy-dir", odd, "--json")).out);
	expect(plan.directory).toBe(odd);
	const files = JSON.stringify(plan).match(/[^"]*a\.yaml/gu) ?? [];
	expect(files).not.toBeEmpty();
	for (const file of files) expect([join(odd, "a.yaml"), join(own.path, "a.yaml")]).toContain(file);
});
