import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnostic } from "../../../src/base/diagnostic.ts";
import { block, documents, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const kubearmor = resolve(import.meta.dir, "../../fixtures/kubearmor-network");
const ssh = policy("ssh", { action: "Audit", ingress: [{ ports: [port("TCP", "ssh")] }] });

interface Answer {
	readonly ok: boolean;
	readonly diagnostics: readonly Diagnostic[];
}

async function json(...args: string[]): Promise<Answer & { code: number }> {
	const { code, out, error } = await portward("validate", "--json", ...args);
	expect(error).toBe("");
	const answer: Answer = JSON.parse(out);
	return { ...answer, code };
}

describe("exit codes and forms", () => {
	test("a good file is ok in both forms", async () => {
		using files = new Files({ "a.yaml": ssh });
		const config = files.config();
		const file = join(files.path, "a.yaml");
		expect(await portward("validate", file, "--config", config)).toEqual({
			code: 0,
			out: "1 valid, 0 errors, 0 warnings\n",
			error: "",
		});
		expect(await json(file, "--config", config)).toEqual({ code: 0, ok: true, diagnostics: [] });
	});

	test("of settings alone no policy is counted", async () => {
		using files = new Files({});
		const { code, out } = await portward("validate", "--config", files.config());
		expect([code, out]).toEqual([0, "settings: 0 errors, 0 warnings\n"]);
	});

	test("an error is 1, with place, field and remedy", async () => {
		using files = new Files({ "a.yaml": ssh.replace('"Audit"', '"Adit"') });
		const file = join(files.path, "a.yaml");
		const { code, out, error } = await portward("validate", file, "--config", files.config());
		expect([code, out]).toEqual([1, "0 valid, 1 error, 0 warnings\n"]);
		expect(error).toMatch(/a\.yaml:1:\d+: error: .*\[[a-z-]+\]\n {4}field: spec\.action\n {4}hint: .*Audit/);
		const answer = await json(file, "--config", files.config());
		expect([answer.code, answer.ok]).toEqual([1, false]);
		expect(answer.diagnostics.map((diagnostic) => Object.keys(diagnostic))).toEqual([
			["file", "line", "column", "path", "severity", "code", "message", "hint"],
		]);
		expect(answer.diagnostics[0]).toMatchObject({ file, line: 1, path: "spec.action", severity: "error" });
	});

	test("a warning does not fail", async () => {
		using files = new Files({ "a.yaml": policy("allow-web", { action: "Block", ingress: [{}] }) });
		const { code, out, error } = await portward("validate", files.path, "--config", files.config());
		expect([code, out]).toEqual([0, "1 valid, 0 errors, 1 warning\n"]);
		expect(error).toContain(": warning: ");
		const answer = await json(files.path, "--config", files.config());
		expect(answer).toMatchObject({ code: 0, ok: true });
		expect(answer.diagnostics[0]).toMatchObject({ code: "inverted-action", severity: "warning" });
	});

	test.each([[[]], [["--json"]]])("nothing to check is wrong usage: %p", async (args) => {
		const { code, out, error } = await portward("validate", ...args);
		expect([code, out === ""]).toEqual([64, args.length === 0]);
		expect(error).toContain("name a file or directory");
	});

	test("what does not exist is an error at that path", async () => {
		const answer = await json("/nowhere/a.yaml", "--config", "/nowhere/config.yaml");
		expect(answer.code).toBe(1);
		expect(answer.diagnostics.map(({ file, code }) => [file, code])).toEqual([
			["/nowhere/a.yaml", "unreadable-file"],
			["/nowhere/config.yaml", "unreadable-file"],
		]);
	});
});

describe("what is read", () => {
	test("directories recursively, without dotfiles and other endings; several paths at once", async () => {
		using files = new Files({ "a.yaml": ssh, ".hidden.yaml": "no policy", "notes.txt": "no policy" });
		mkdirSync(join(files.path, "deep"));
		files.put("deep/b.json", policy("b", { action: "Block", egress: [{ to: [block("192.0.2.0/24")] }] }));
		using other = new Files({ "c.yml": policy("c", { action: "Block", ingress: [{ to: [] }] }) });
		const answer = await json(files.path, other.path, "--config", files.config());
		expect(answer.diagnostics.map(({ file }) => file)).toEqual([join(other.path, "c.yml")]);
		const { out } = await portward("validate", files.path, "--config", files.config());
		expect(out).toBe("2 valid, 0 errors, 0 warnings\n");
	});

	test("a file named twice is no duplicate of itself, two policies of one name are", async () => {
		using files = new Files({ "a.yaml": ssh });
		const file = join(files.path, "a.yaml");
		expect(await json(file, files.path, `${files.path}/./a.yaml`, "--config", files.config())).toMatchObject({
			ok: true,
		});
		files.put("b.yaml", documents(ssh, ssh));
		const answer = await json(files.path, "--config", files.config());
		expect(answer.diagnostics.map(({ code, file, line }) => [code, file.slice(-6), line])).toEqual([
			["duplicate-name", "a.yaml", 1],
			["duplicate-name", "b.yaml", 1],
			["duplicate-name", "b.yaml", 3],
		]);
	});

	test("a file of any name, when it is named itself", async () => {
		using files = new Files({ draft: ssh });
		expect(await json(join(files.path, "draft"), "--config", files.config())).toMatchObject({ ok: true });
	});

	test("a device without end is not read for ever", async () => {
		const answer = await json("/dev/zero", "--config", "/dev/null");
		expect(answer.diagnostics.map(({ code }) => code)).toEqual(["file-too-large"]);
	});

	test("one broken document hides nothing of the others", async () => {
		using files = new Files({ "a.yaml": documents(ssh, "nonsense: true", policy("c", { action: "Bloc" })) });
		const answer = await json(files.path, "--config", files.config());
		expect(new Set(answer.diagnostics.map(({ line }) => line))).toEqual(new Set([3, 5]));
	});
});

describe("settings", () => {
	test("are diagnostics too, and hide nothing of the policies", async () => {
		using files = new Files({ "a.yaml": ssh.replace('"Audit"', '"Adit"') });
		const config = files.put(".config", "hostDefaultNetworkPosture: drop\npolicyDirr: /x\n");
		const answer = await json(files.path, "--config", config);
		expect(answer.ok).toBe(false);
		expect(answer.diagnostics.map(({ file, line }) => [file, line])).toEqual([
			[config, 1],
			[config, 2],
			[join(files.path, "a.yaml"), 1],
		]);
		expect(answer.diagnostics[1]?.hint).toContain("policyDir");
	});

	test("can be checked alone", async () => {
		using files = new Files();
		const config = files.config({ nodeLabels: { role: "db" } });
		expect(await portward("validate", "--config", config)).toMatchObject({ code: 0, error: "" });
		files.put(".config", "nope: 1\n");
		expect(await json("--config", config)).toMatchObject({ code: 1, ok: false });
	});

	test("labels that this host lacks are a warning until the settings give them", async () => {
		const selector = { nodeSelector: { matchLabels: { role: "db" } } };
		using files = new Files({ "a.yaml": policy("a", { ...selector, action: "Block", ingress: [{}] }) });
		const without = await json(files.path, "--config", files.config());
		expect(without.diagnostics.map(({ code, severity }) => [code, severity])).toEqual([
			["unknown-label", "warning"],
		]);
		const given = await json(files.path, "--config", files.config({ nodeLabels: { role: "db" } }));
		expect(given.diagnostics).toEqual([]);
	});

	test("too many kernel elements for maxElements are an error that names the policies", async () => {
		const wide = Array.from({ length: 40 }, (_, index) => block(`192.0.${2 * index}.0/24`));
		const rule = { from: wide, ports: [port("TCP", 80)] };
		using files = new Files({ "a.yaml": policy("wide", { action: "Block", ingress: [rule] }) });
		const answer = await json(files.path, "--config", files.config({ maxElements: 10 }));
		expect(answer.diagnostics).toMatchObject([{ code: "too-many-elements", severity: "error" }]);
		expect(answer.diagnostics[0]?.message).toContain('"wide"');
	});
});

test("hostile names neither move the cursor nor forge a line", async () => {
	const hostile = "x\\u001b[2J\\u202e\\u009b\\nforged:1:1: error: none [x]";
	using files = new Files({ "a.yaml": `{"kind": "${hostile}", "${hostile}": "${hostile}"}` });
	for (const flags of [[], ["--json"]]) {
		const { code, out, error } = await portward("validate", files.path, "--config", files.config(), ...flags);
		expect(code).toBe(1);
		expect(out + error).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
		expect(error).not.toMatch(/^forged/m);
	}
});

/** The policies that KubeArmor publishes: how many are valid, and the codes of errors and warnings. */
const blog = "kubearmor.io__blog_2026-04-14-KubeArmor-Network-Segmentation-Linux-VMs_index_";
const quota = ["namespace-ignored", "no-pods", "level-ignored"];
test.each([
	["KubeArmor__examples_network-security-policies_nsp-egress-block-dns.yaml", 0, []],
	["KubeArmor__getting-started_network_bandwidth_quota_0.yaml", 1, quota],
	["KubeArmor__getting-started_network_bandwidth_quota_1.yaml", 1, quota],
	["KubeArmor__getting-started_network_bandwidth_quota_2.yaml", 0, []],
	["KubeArmor__getting-started_network_security_policy_examples_0.yaml", 0, []],
	["KubeArmor__getting-started_network_security_policy_examples_1.yaml", 0, []],
	["KubeArmor__getting-started_network_security_policy_specification_0.yaml", 1, ["missing-space"]],
	[
		"KubeArmor__getting-started_network_security_policy_specification_1.yaml",
		1,
		["missing-field", "wrong-type"],
	],
	["KubeArmor__tests_k8s_env_nsp_res_nsp-egress-block-dns.yaml", 0, []],
	[`${blog}1.yaml`, 0, ["inverted-action"]],
	[`${blog}2.yaml`, 0, []],
	[`${blog}3.yaml`, 0, []],
	[`${blog}4.yaml`, 0, ["ipv4-only-allow", "allowlist-ingress"]],
	[`${blog}5.yaml`, 0, ["inverted-action"]],
])("published: %s", async (file, code, codes) => {
	using files = new Files();
	const nodeLabels = { role: "database", env: "production", tier: "backend" };
	const answer = await json(join(kubearmor, file), "--config", files.config({ nodeLabels }));
	expect(answer.code).toBe(code);
	const found = answer.diagnostics.filter((diagnostic) => diagnostic.code !== "unknown-label");
	expect(found.map((diagnostic) => diagnostic.code)).toEqual(codes);
	expect(answer.ok).toBe(code === 0);
});
