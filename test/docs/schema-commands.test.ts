/** docs/schema: what the commands print with --json is as its schema says, and so are their answers to hard questions. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readSchema, schemaNames } from "../../scripts/schema.ts";
import { completedCommands } from "../../src/cli/completion/tables.ts";
import { recommendUsb } from "../../src/cli/journey/recommend-usb.ts";
import { runPlan } from "../../src/cli/plan/plan.ts";
import { usbExplain } from "../../src/cli/usb/usb-explain.ts";
import { flowJson, historyText } from "../cli/journey/support/flows.ts";
import { CapturedIo, commands, Files, portward } from "../cli/support/portward.ts";
import { FakeKernel } from "../enforcers/usb/support/fake-usb.ts";
import { badUsb, devicePolicy } from "../enforcers/usb/support/shapes.ts";
import { sampleAlert } from "../report/sample.ts";
import { violations } from "../support/json-schema.ts";
import { block, policy, port } from "../system/support/case.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";

let network: IsolatedNetwork;
let files: Files;
let kernel: FakeKernel;

const web = policy("web", {
	action: "Allow",
	severity: 5,
	tags: ["A"],
	ingress: [
		{ ports: [port("TCP", 443)], iface: ["eth*"] },
		{ action: "Block", from: [block("192.0.2.0/24")], ports: [port("TCP", 443)] },
		{ ports: [{ protocol: "ICMP", icmpType: "echo-request" }] },
		{ ports: [{ protocol: "UDP", port: 53, sourcePort: 5353 }] },
	],
});
const usb = devicePolicy("usb", [
	{ class: "ALL", action: "Block" },
	{ class: "MASS-STORAGE", action: "Allow" },
	{ class: "MASS-STORAGE", level: 2, action: "Block" },
]);
const cases = `
apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: web }
spec:
  cases:
  - { name: open, direction: ingress, protocol: tcp, address: 203.0.113.1, port: 443, interface: eth0, expect: Allow, policy: web }
  - { name: wrong, direction: ingress, protocol: tcp, address: 203.0.113.1, port: 22, expect: Allow }
  - { device: { class: MASS-STORAGE }, expect: Allow, policy: usb }
  tables:
  - { direction: ingress, columns: [tcp 443, icmp], rows: { 203.0.113.1: ". .", 192.0.2.1: X - } }
`;
const kubernetes = JSON.stringify({
	apiVersion: "networking.k8s.io/v1",
	kind: "NetworkPolicy",
	metadata: { name: "k" },
	spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }, { podSelector: {} }] }] },
});
const failsafe = { ingress: [{ protocol: "TCP", port: 2222 }] };

beforeAll(() => {
	network = enterIsolatedNetwork();
	kernel = new FakeKernel();
	kernel.plug("1-1", badUsb);
	files = new Files({ "cases.yaml": cases, "k8s.json": kubernetes });
	for (const name of ["now", "new", "bad", "empty", "state", "counted"]) mkdirSync(join(files.path, name));
	files.put("new/web.json", web);
	files.put("new/usb.json", usb);
	files.put("counted/web.json", web.replace('"ports"', '"limit":"1GB","duration":"1d","ports"'));
	files.put("now/web.json", web.replace("443", "8443"));
	files.put("bad/web.json", web.replace('"Allow"', '"Alow"'));
	files.config({
		policyDir: join(files.path, "new"),
		stateDir: join(files.path, "state"),
		hostDefaultDevicePosture: "block",
		failsafe,
	});
});
afterAll(() => {
	network.leave();
	kernel.remove();
	files[Symbol.dispose]();
});

const config = () => ["--config", join(files.path, ".config"), "--json"];
const path = (name: string) => join(files.path, name);

/** Runs a command and holds what it prints against a schema. */
async function holds(schema: string, code: number, ...argv: readonly string[]): Promise<unknown> {
	const ended = await portward(...argv);
	expect([argv[0], ended.code, ended.error.includes("panic")]).toEqual([argv[0], code, false]);
	const document: unknown = JSON.parse(ended.out);
	expect(violations(document, schema)).toEqual([]);
	return document;
}

test("support-bundle: where it is, and what could not be had", async () => {
	const found = await holds("outcome", 0, "support-bundle", "--out", path("bundle.tar.gz"), ...config());
	expect(found).toMatchObject({
		file: path("bundle.tar.gz"),
		missing: [expect.any(String), expect.any(String)],
	});
});

test("validate: what is right, and what is wrong", async () => {
	await holds("validate", 0, "validate", path("new"), ...config());
	const found = await holds("validate", 1, "validate", path("bad"), ...config());
	expect(found).toMatchObject({ ok: false, diagnostics: [{ severity: "error" }] });
});

describe("explain", () => {
	test.each([
		["a rule", ["ingress", "tcp", "203.0.113.1", "443", "--iface", "eth0"]],
		["a rule that overrides another", ["ingress", "tcp", "192.0.2.7", "443", "--iface", "eth0"]],
		["the posture", ["ingress", "tcp", "203.0.113.1", "22"]],
		["nothing", ["egress", "udp", "203.0.113.1", "53"]],
		["a failsafe rule", ["ingress", "tcp", "203.0.113.1", "2222"]],
		["a protocol without ports", ["ingress", "icmp", "203.0.113.1"]],
	])("by %s", async (_, packet) => {
		await holds("explain", 0, "explain", ...packet, ...config());
	});

	test("beside other firewalls", async () => {
		const rules = `table inet firewalld { chain filter_INPUT { type filter hook input priority filter + 10; policy accept; }; }
			table ip nat { chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; tcp dport 443 redirect to :8443; }; }`;
		const load = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(rules), stderr: "pipe" });
		expect(load.stderr.toString()).toBe("");
		const found = await holds("explain", 0, "explain", "ingress", "tcp", "203.0.113.1", "443", ...config());
		expect(found).toMatchObject({ others: [{ table: "firewalld" }], translations: [{ port: 8443 }] });
		Bun.spawnSync(["nft", "flush", "ruleset"]);
	});
});

test("explain: what is staged", async () => {
	const annotations = { "portward.io/mode": "staged" };
	const document = JSON.parse(policy("no-dns", { egress: [{ ports: [port("UDP", 53)] }] }));
	mkdirSync(join(files.path, "beside"));
	files.put("beside/a.json", JSON.stringify({ ...document, metadata: { name: "no-dns", annotations } }));
	const asked = ["egress", "udp", "203.0.113.1", "53", "--policy-dir", path("beside"), ...config()];
	const found = await holds("explain", 0, "explain", ...asked);
	expect(found).toMatchObject({ action: "Allow", staged: { policies: ["no-dns"], rule: 0 } });
	const text = await portward("explain", ...asked.filter((each) => each !== "--json"));
	expect(text.out).toContain("staged policy no-dns egress[0] would block it");
});

describe("explain more", () => {
	test("every port of an address", async () => {
		const found = await holds("explain-all", 0, "explain", "--all", "192.0.2.7", ...config());
		expect(found).toMatchObject({ address: "192.0.2.7" });
	});

	test.each([
		["a policy would do", "203.0.113.66", "22"],
		["a rule must change", "192.0.2.7", "443"],
	])("an alert: %s", async (_, source, destination) => {
		const EventData = {
			SourceIP: source,
			DestinationIP: "192.0.2.1",
			DestinationPort: destination,
			Protocol: "TCP",
		};
		const alert = sampleAlert({
			Action: "Block",
			EventData: { ...EventData, Interface: "eth0", RuleIndex: "1" },
		});
		const line = JSON.stringify(alert);
		const found = await holds("explain-alert", 0, "explain", "--from-alert", line, ...config());
		expect(found).toMatchObject({ action: "Block", packet: { port: Number(destination) } });
	});
});

describe("plan", () => {
	async function plan(directory: string) {
		const io = new CapturedIo();
		await runPlan(["--policy-dir", path(directory), ...config()], io, kernel.root);
		const document: unknown = JSON.parse(io.out_);
		expect(violations(document, "plan")).toEqual([]);
		return document;
	}

	test("of changes, with devices and defaults", async () => {
		const found = await plan("now");
		expect(found).toMatchObject({
			changes: true,
			usbDevices: { checked: true },
			failsafe: [{ port: "2222" }],
		});
	});

	test("of nothing, and of what cannot be planned", async () => {
		expect(await plan("empty")).toMatchObject({ rules: [{ change: "removed" }, {}, {}, {}] });
		expect(await plan("bad")).toMatchObject({ diagnostics: [{ severity: "error" }] });
	});
});

test("diff: equal, and where not", async () => {
	await holds("diff", 0, "diff", path("new"), path("new"), ...config());
	const found = await holds("diff", 2, "diff", path("now"), path("new"), ...config());
	expect(found).toMatchObject({ equal: false });
	await holds("diff", 2, "diff", path("empty"), path("new"), ...config());
	await holds("diff", 2, "diff", path("new"), path("counted"), ...config());
});

test("search: found, and not", async () => {
	await holds("search", 0, "search", "ingress tcp 443 verdict=Allow", ...config());
	await holds("search", 0, "search", "ingress udp 99 verdict=Block", ...config());
	await holds("search", 2, "search", "ingress tcp 22 verdict=Allow", ...config());
	const counted = ["--policy-dir", path("counted"), ...config()];
	const found = await holds("search", 0, "search", "ingress tcp 443 verdict=Allow", ...counted);
	expect(found).toMatchObject({ example: { quotas: [{ limitBytes: 2 ** 30 }] } });
});

test("recommend: what was written, what is broader, what devices there are", async () => {
	const flows = [
		flowJson,
		{ ...flowJson, remote: "198.51.100.1", count: 1 },
		{ ...flowJson, port: 22, action: "Block" },
	];
	const seen = ["--from", files.put(".flows", historyText(flows))];
	const found = await holds("recommend", 0, "recommend", "--out", path("seen"), ...seen, ...config());
	expect(found).toMatchObject({ files: [{}, {}, {}, {}], rules: [{ blocks: [{}] }], leftOut: [{}, {}] });
	const broad = await holds("recommend-narrow", 0, "recommend", "--narrow", ...seen, ...config());
	expect(broad).toMatchObject({ rules: [{ policy: "web" }] });
	const io = new CapturedIo();
	expect(await recommendUsb(["--out", path("seen"), ...config()], io, kernel.root)).toBe(0);
	const document: unknown = JSON.parse(io.out_);
	expect(violations(document, "recommend-usb")).toEqual([]);
	expect(document).toMatchObject({ files: [{ file: "seen-usb.yaml" }], rules: 2, leftOut: [] });
});

test("simulate: what would be blocked, and what would pass", async () => {
	const flows = [
		{ ...flowJson, port: 22, policy: null },
		{ ...flowJson, remote: "203.0.113.1", action: "Block", policy: "old" },
	];
	const seen = ["--from", files.put(".flows", historyText(flows))];
	const found = await holds("simulate", 2, "simulate", "--policy-dir", path("new"), ...seen, ...config());
	expect(found).toMatchObject({ wouldBlock: 1, wouldAllow: 1, unchanged: 0, rules: [{}, { policy: "web" }] });
});

test("report: evidence, with the controls of a profile", async () => {
	const found = await holds("report", 0, "report", "--profile", "cis", ...config());
	expect(found).toMatchObject({ profile: "CIS Controls v8" });
});

test("graph: zones and their services", async () => {
	const found = await holds("graph", 0, "graph", ...config());
	expect(found).toMatchObject({
		zones: expect.arrayContaining([expect.objectContaining({ direction: "egress", rest: true })]),
	});
});

test("test: passed, failed, covered", async () => {
	const found = await holds("test", 1, "test", path("cases.yaml"), "--coverage", ...config());
	expect(found).toMatchObject({ passed: 4, failed: 2, coverage: { rules: 7 } });
});

test("import-kubearmor: settings, policies, and what is lost", async () => {
	files.put("kubearmor/kubearmor.yaml", "cluster: c\nlsm: bpf\n");
	const found = await holds("import-kubearmor", 2, "import-kubearmor", path("kubearmor"), "--json");
	expect(found).toMatchObject({ config: { clusterName: "c" }, report: expect.any(Array) });
});

test("convert: policies, and what is lost", async () => {
	const found = await holds("convert", 2, "convert", path("k8s.json"), "--json");
	expect(found).toMatchObject({ policies: [{}], report: [{ kind: "lost" }], proof: null });
	const rules =
		"*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.0.2.0/24 -p tcp --dport 22 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";
	const source = files.put("rules.v4", rules);
	const ended = await portward("convert", source, "--json");
	const document: unknown = JSON.parse(ended.out);
	expect(violations(document, "convert")).toEqual([]);
	expect(document).toMatchObject({ proof: { equal: true } });
});

describe("usb explain", () => {
	test("a function", async () => {
		await holds("usb-explain", 0, "usb", "explain", "--class", "MASS-STORAGE", ...config());
		await holds("usb-explain", 0, "usb", "explain", "--class", "HID", "--level", "2", ...config());
	});

	test("a device that is there", async () => {
		const io = new CapturedIo();
		expect(await usbExplain(["1-1", ...config()], io, kernel.root)).toBe(0);
		const document: unknown = JSON.parse(io.out_);
		expect(violations(document, "usb-explain")).toEqual([]);
		expect(document).toMatchObject({ authorized: true, allowedUntil: null, functions: [{}, {}] });
	});
});

test("exposure: what listens, and who can reach it", async () => {
	using tcp = Bun.listen({ hostname: "0.0.0.0", port: 443, socket: { data() {} } });
	const found = await holds("exposure", 0, "exposure", ...config());
	expect(found).toMatchObject({ listeners: [{ protocol: "tcp", port: tcp.port, local: false }] });
});

test("promote: shown, done, and refused", async () => {
	const annotations = { "portward.io/mode": "staged" };
	const staged = { ...JSON.parse(web), metadata: { name: "staged", annotations } };
	mkdirSync(join(files.path, "staged"));
	files.put("staged/staged.json", JSON.stringify(staged));
	const options = ["--policy-dir", path("staged"), ...config()];
	const shown = await holds("outcome", 2, "promote", "staged", ...options);
	expect(shown).toMatchObject({ ok: false, policies: [{ name: "staged", staged: null }], plan: {} });
	await holds("outcome", 0, "promote", "staged", "--yes", ...options);
	await holds("outcome", 1, "promote", "staged", ...options);
});

test("fmt: what would change, and what is broken", async () => {
	await holds("fmt", 2, "fmt", path("new"), "--check", "--json");
	const found = await holds("fmt", 1, "fmt", path("bad"), "--check", "--json");
	expect(found).toMatchObject({ ok: false, files: [{ changed: false, diagnostics: [{}] }] });
});

test("doctor and completion", async () => {
	const { out } = await portward("doctor", ...config());
	expect(violations(JSON.parse(out), "doctor")).toEqual([]);
	for (const shell of ["bash", "zsh", "fish"]) await holds("completion", 0, "completion", shell, "--json");
});

test("version", async () => {
	await holds("version", 0, "version", "--json");
});

/** Commands whose output is no document of ours, and why. */
const withoutSchema: Readonly<Record<string, string>> = {
	help: "it prints a text that people read; the man page has the same",
	run: "it prints nothing but alerts, each a JSON object in a line, as docs/schema/alert.json says",
	schema: "what it prints is a schema itself, of draft 2020-12; --json changes nothing",
};

describe("every command has --json and a schema for it", async () => {
	const titles = schemaNames.map((name) => readSchema(name).title ?? "");
	const ends = (await completedCommands(commands)).filter(({ verbs }) => verbs.length === 0);
	const asked = ends.filter(({ path: [name = ""] }) => !Object.hasOwn(withoutSchema, name));

	test("but for those that are named here", () => {
		expect(ends.length - asked.length).toBe(Object.keys(withoutSchema).length);
		expect(asked.length).toBeGreaterThan(commands.length);
	});

	test.each(asked.map((end) => [end.path.join(" "), end] as const))("%s", (name, { options }) => {
		expect(options.map((option) => option.name)).toContain("--json");
		expect(titles.filter((title) => title.includes(`\`portward ${name} --json\``))).toHaveLength(1);
		const help = commands.find((command) => command.name === name.split(" ")[0])?.help ?? "";
		expect(help).toMatch(/^ {2}--json\b/m);
	});
});
