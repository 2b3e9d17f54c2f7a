import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Files, portward } from "../support/portward.ts";

const nodeSelector = { matchLabels: { "kubearmor.io/hostname": "*" }, identities: ["x"] };
const copy = (kind: string, policyName: string, spec: object) =>
	JSON.stringify({ kind, metadata: { policyName }, spec: { nodeSelector, ...spec } });

const kubearmor = {
	"kubearmor.yaml": "cluster: prod\nhostDefaultNetworkPosture: block\nenableKubeArmorHostPolicy: true\n",
	"policies/ssh.yaml": copy("KubeArmorNetworkPolicy", "ssh", {
		ingress: [{ ports: [{ port: "22", protocol: "TCP" }] }],
		action: "Allow",
	}),
	"policies/usb.yaml": copy("KubeArmorHostPolicy", "usb", {
		process: {},
		device: { matchDevice: [{ class: "HID" }] },
		action: "Block",
	}),
};

test("settings and policies go into a directory, and validate there", async () => {
	using files = new Files(kubearmor);
	const out = join(files.path, "out");
	const { code, out: said, error } = await portward("import-kubearmor", files.path, "--out", out);
	expect([code, said]).toEqual([0, `wrote 3 files to ${out}\n`]);
	expect(error).toContain("note: gRPC: alerts are served on 127.0.0.1 alone");
	expect(error).toContain("the narrower rule decides");
	expect(readdirSync(join(out, "policies")).toSorted()).toEqual(["ssh.yaml", "usb.yaml"]);
	expect(readFileSync(join(out, "config.yaml"), "utf8")).toContain("clusterName: prod");
	const valid = await portward("validate", join(out, "policies"), "--config", join(out, "config.yaml"));
	expect([valid.code, valid.error]).toEqual([0, expect.not.stringContaining("error")]);
	const before = readFileSync(join(out, "config.yaml"), "utf8");
	const again = await portward("import-kubearmor", files.path, "--out", out);
	expect([again.code, again.error]).toEqual([
		1,
		expect.stringContaining("is there already, and nothing was written"),
	]);
	expect(readFileSync(join(out, "config.yaml"), "utf8")).toBe(before);
});

test("what has no counterpart is told, and what is not valid is left out", async () => {
	using files = new Files({
		...kubearmor,
		"kubearmor.yaml": `cluster: ${"c".repeat(300)}\nlsm: bpf\n`,
		"policies/bad.yaml": copy("KubeArmorNetworkPolicy", "bad", {
			ingress: [{ from: [{ ipBlock: { cidr: "example.org" } }] }],
			action: "Allow",
		}),
		"policies/evil.yaml": copy("KubeArmorNetworkPolicy", "../../evil", { ingress: [{}], action: "Block" }),
		"policies/files.yaml": copy("KubeArmorHostPolicy", "files", {
			file: { matchPaths: [{ path: "/etc/passwd" }] },
			action: "Block",
		}),
	});
	const { code, out, error } = await portward("import-kubearmor", files.path, "--json");
	expect([code, error]).toEqual([2, ""]);
	const { config, policies, files: written, report } = JSON.parse(out);
	expect(policies.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
		"ssh",
		"usb",
	]);
	expect([config.clusterName, written]).toEqual([undefined, []]);
	const lost = report
		.filter(({ kind }: { kind: string }) => kind === "lost")
		.map(({ message }: { message: string }) => message);
	expect(lost).toEqual([
		expect.stringContaining("lsm: "),
		expect.stringContaining("left out: clusterName: "),
		expect.stringContaining("spec.file is left out"),
		expect.stringContaining('nothing of policy "files" is left'),
		expect.stringMatching(/policy bad is left out: spec\.ingress\[0\]\.from\[0\]\.ipBlock\.cidr: /),
		expect.stringContaining("policy ../../evil is left out: metadata.name: "),
	]);
	const printed = await portward("import-kubearmor", files.path);
	expect(printed.out).toStartWith("# config.yaml\n");
	expect(printed.out).toContain("---\n# policies/ssh.yaml\n");
	expect(printed.error).toMatch(/kubearmor\.yaml:2:1: no counterpart: lsm: /);
});

test("of policies with one name the first is taken, so that what is written validates", async () => {
	const ssh = kubearmor["policies/ssh.yaml"];
	using files = new Files({ ...kubearmor, "policies/ssh-old.yaml": ssh, "policies/x.yaml": ssh });
	const out = join(files.path, "out");
	const { code, error } = await portward("import-kubearmor", files.path, "--out", out);
	expect(code).toBe(2);
	expect(error).toContain(
		`ssh.yaml:1:1: no counterpart: policy ssh is left out: it has the name of the one at `,
	);
	expect(readdirSync(join(out, "policies")).toSorted()).toEqual(["ssh.yaml", "usb.yaml"]);
	const valid = await portward("validate", join(out, "policies"), "--config", join(out, "config.yaml"));
	expect([valid.code, valid.error]).toEqual([0, expect.not.stringContaining("error")]);
});

test("what is no directory of KubeArmor, or cannot be read, is an error", async () => {
	using files = new Files({ "other/x": "", "broken/kubearmor.yaml": "a: [" });
	for (const [directory, message] of [
		["other", "has neither kubearmor.yaml nor policies"],
		["absent", "has neither kubearmor.yaml nor policies"],
		["broken", "kubearmor.yaml:1:"],
	] as const) {
		const { code, out, error } = await portward("import-kubearmor", join(files.path, directory));
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain(message);
	}
	mkdirSync(join(files.path, "odd"));
	writeFileSync(join(files.path, "odd/policies"), "a file");
	expect((await portward("import-kubearmor", join(files.path, "odd"))).code).toBe(1);
	expect((await portward("import-kubearmor")).code).toBe(64);
});
