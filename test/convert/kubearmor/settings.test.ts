import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseConfig } from "../../../src/config/parse.ts";
import { importSettings } from "../../../src/convert/kubearmor/settings.ts";
import { dataText } from "../../../src/convert/text.ts";

const read = (text: string) => importSettings({ file: "k.yaml", text });
const messages = (text: string, kind: "lost" | "changed") =>
	read(text)
		.findings.filter((finding) => finding.kind === kind)
		.map(({ line, column, message }) => `${line}:${column} ${message}`);

/** As the package of KubeArmor for hosts has it, in other words. */
const packaged = `cluster: "default"
gRPC: "32767"
logPath: "/tmp/kubearmor.log"
enableKubeArmorHostPolicy: true
enableKubeArmorVm: false
k8s: false
hostVisibility: "process,file,network,capabilities"
alertThrottling: true
maxAlertPerSec: 10
throttleSec: 30
`;

test("a package's own settings", () => {
	expect(read(packaged).settings).toEqual({
		clusterName: "default",
		enableNetworkPolicyEnforcer: true,
		hostDefaultNetworkPosture: "audit",
		enableKubeArmorHostPolicy: true,
		enableUSBDeviceHandler: false,
		hostDefaultDevicePosture: "audit",
		alertThrottling: true,
		maxAlertPerSec: 10,
		throttleSec: 30,
		alerts: { stdout: false, file: "/var/lib/portward/alerts.json" },
		kubearmorApi: { address: "127.0.0.1:32767", healthAddress: "127.0.0.1:32766" },
	});
	expect(messages(packaged, "lost")).toEqual([
		"7:1 hostVisibility: processes, files and capabilities are not watched; new flows are, unless observe.enabled is false",
	]);
	expect(messages(packaged, "changed").map((message) => message.split(":", 2).join(":"))).toEqual([
		"8:1 alertThrottling",
		"3:1 logPath",
		"2:1 gRPC",
	]);
});

test("without a file KubeArmor's defaults hold, which are not ours", () => {
	const { settings } = importSettings(null);
	expect(settings).toMatchObject({
		hostDefaultNetworkPosture: "audit",
		enableKubeArmorHostPolicy: false,
		enableUSBDeviceHandler: false,
		alertThrottling: true,
	});
});

describe("one setting after the other", () => {
	test.each([
		["hostDefaultNetworkPosture: block", { hostDefaultNetworkPosture: "block" }],
		["hostdefaultnetworkposture: block", { hostDefaultNetworkPosture: "block" }],
		["hostDefaultNetworkPosture: allow", { hostDefaultNetworkPosture: "block" }],
		["hostDefaultDevicePosture: allow", { hostDefaultDevicePosture: "audit" }],
		["enableKubeArmorVm: true", { enableKubeArmorHostPolicy: true }],
		["enableUSBDeviceHandler: 'T'", { enableUSBDeviceHandler: true }],
		["enableUSBDeviceHandler: 'yes'", { enableUSBDeviceHandler: false }],
		["host: vm1", { nodeLabels: { "kubearmor.io/hostname": "vm1" } }],
		["logPath: stdout", { alerts: { stdout: true } }],
		["logPath: none", { alerts: { stdout: false } }],
		["logPath: /var/log/k.log", { alerts: { stdout: false, file: "/var/log/k.log" } }],
		["maxAlertPerSec: 0", { maxAlertPerSec: 10 }],
		["throttleSec: 9999999", { throttleSec: 30 }],
		["gRPC: '0'", { kubearmorApi: { address: null } }],
		["gRPC: 50051\ngRPCHealthPort: 50051", { kubearmorApi: { address: "127.0.0.1:50051" } }],
	])("%j", (text, expected) => {
		expect(read(text).settings).toMatchObject(expected);
	});

	test("what has no counterpart is told where it stands, and what means nothing is not", () => {
		expect(messages("lsm: bpf\ndebug: false\ndebugg: true\nhostDefaultFilePosture: block", "lost")).toEqual([
			"1:1 lsm: portward enforces with nftables and sysfs, not inside the kernel's security modules",
			"3:1 debugg: KubeArmor has no such setting that is known here",
			"4:1 hostDefaultFilePosture: portward has no rules for files",
		]);
		expect(messages("tlsEnabled: true", "changed").join("\n")).toContain(
			"its certificates are not taken over",
		);
	});
});

test("what is no settings file is a problem with its place", () => {
	expect(read("a: [").problems).toMatchObject([{ file: "k.yaml", line: 1 }]);
	expect(read("- a").problems).toMatchObject([{ message: "a settings file has NAME: VALUE lines" }]);
	expect(read("").problems).toEqual([]);
});

test("whatever the values, what is made are settings that can be read", () => {
	const names = fc.constantFrom(
		...[
			"cluster",
			"gRPC",
			"logPath",
			"host",
			"maxAlertPerSec",
			"hostDefaultNetworkPosture",
			"alertThrottling",
			"x",
		],
	);
	const value = fc.oneof(fc.string({ maxLength: 40 }), fc.integer(), fc.boolean(), fc.constant(null));
	fc.assert(
		fc.property(fc.dictionary(names, value), (file) => {
			const { settings, problems } = read(dataText(file));
			expect(problems).toEqual([]);
			const parsed = parseConfig("c.yaml", dataText(settings));
			const wrong = parsed.diagnostics.filter(({ severity }) => severity === "error");
			// A text that is no label or no path is left to the command, which leaves it out.
			expect(wrong.filter(({ path }) => !/^(?:clusterName|nodeLabels|alerts)/.test(path))).toEqual([]);
		}),
		{ numRuns: 200 },
	);
});
