import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { defaultConfig, parseConfig } from "../../src/config/parse.ts";
import { sinkSettings } from "../sinks/support/settings.ts";

function settings(text: string) {
	const result = parseConfig("config.yaml", text);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.config;
}

describe("defaults", () => {
	test("hold without a file, as documented", () => {
		expect(defaultConfig()).toEqual({
			enforcement: "enforce",
			enableNetworkPolicyEnforcer: true,
			hostDefaultNetworkPosture: "block",
			stagedNetworkPosture: "none",
			enableKubeArmorHostPolicy: true,
			enableUSBDeviceHandler: true,
			hostDefaultDevicePosture: "audit",
			stagedDevicePosture: "none",
			presentDevices: "apply",
			protectConsoleKeyboard: true,
			policyDir: "/etc/portward/policies",
			ignoreUnknownKinds: false,
			stateDir: "/var/lib/portward",
			nodeLabels: {},
			clusterName: "default",
			allowlistScope: "direction",
			essentials: true,
			related: "policy",
			invalidPackets: "drop",
			endRefusedAtStart: false,
			table: "kubearmor",
			nflogGroup: 9755,
			maxElements: 1_000_000,
			rulesetForm: "auto",
			status: {
				address: "127.0.0.1:9755",
				detail: "metrics-only",
				tls: null,
				tokenFile: null,
			},
			confinement: "enforce",
			bootPolicy: "last-good",
			confirm: "optional",
			confirmWithin: 60,
			failsafe: { ingress: [], egress: [] },
			guests: { forwarded: "audit", interfaces: [], uplinks: [] },
			policySignature: "off",
			policyTests: "warn",
			trustedKeys: [],
			observe: { enabled: true, maxFlows: 100_000 },
			metrics: { maxRuleSeries: 2000 },
			alertThrottling: false,
			maxAlertPerSec: 10,
			throttleSec: 30,
			kubearmorApi: { address: null, healthAddress: null, tls: null },
			alerts: {
				stdout: true,
				file: null,
				fileMaxBytes: 104_857_600,
				fileKeep: 5,
				perSecond: 1000,
				buffer: 10_000,
				sinks: [],
			},
		});
	});

	test.each(["", "# nothing\n", "---\n", "{}", "status:\nalerts: ~\npolicyDir:\n", "\ufeff"])(
		"%j changes none",
		(text) => {
			expect(settings(text)).toEqual(defaultConfig());
		},
	);
});

test("every key is read", () => {
	const text = `enforcement: audit
enableNetworkPolicyEnforcer: false
hostDefaultNetworkPosture: audit
stagedNetworkPosture: block
enableKubeArmorHostPolicy: false
enableUSBDeviceHandler: false
hostDefaultDevicePosture: block
stagedDevicePosture: block
presentDevices: audit
protectConsoleKeyboard: false
policyDir: /p
ignoreUnknownKinds: true
stateDir: /s
nodeLabels: {role: database, "example.org/tier": "1"}
clusterName: prod
allowlistScope: host
essentials: false
related: accept
invalidPackets: accept
endRefusedAtStart: true
table: portward_1
nflogGroup: 1
maxElements: 100000000
rulesetForm: nested
status:
  {address: "unix:/run/portward/status.sock", detail: metrics-only, tokenFile: /token,
   tls: {cert: /c.pem, key: /k.pem, clientCa: /ca.pem}}
confinement: off
bootPolicy: block
confirm: required
confirmWithin: 120
failsafe:
  ingress:
    - {protocol: tcp, cidr: 192.0.2.0/24, port: ssh, interface: eth*}
    - cidr: "2001:db8::1"
  egress: [{protocol: UDP, port: 6000-6010}]
guests: {forwarded: enforce, interfaces: [ve-*, tap0], uplinks: [vmbr0]}
policySignature: required
policyTests: enforce
trustedKeys: ["ed25519:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="]
observe: {enabled: false, maxFlows: 5000}
metrics: {maxRuleSeries: 0}
alerts: {stdout: false, file: /var/log/a.json, fileMaxBytes: 4096, fileKeep: 0, perSecond: 10, buffer: 1, sinks: [{name: j, type: journald}]}
alertThrottling: true
maxAlertPerSec: 3
throttleSec: 4
kubearmorApi: {address: "0.0.0.0:32767", healthAddress: "unix:/h.sock", tls: {cert: /c.pem, key: /k.pem, clientCa: /a.pem}}
`;
	expect(settings(text)).toEqual({
		enforcement: "audit",
		enableNetworkPolicyEnforcer: false,
		hostDefaultNetworkPosture: "audit",
		stagedNetworkPosture: "block",
		enableKubeArmorHostPolicy: false,
		enableUSBDeviceHandler: false,
		hostDefaultDevicePosture: "block",
		stagedDevicePosture: "block",
		presentDevices: "audit",
		protectConsoleKeyboard: false,
		policyDir: "/p",
		ignoreUnknownKinds: true,
		stateDir: "/s",
		nodeLabels: { role: "database", "example.org/tier": "1" },
		clusterName: "prod",
		allowlistScope: "host",
		essentials: false,
		related: "accept",
		invalidPackets: "accept",
		endRefusedAtStart: true,
		table: "portward_1",
		nflogGroup: 1,
		maxElements: 100_000_000,
		rulesetForm: "nested",
		status: {
			address: "unix:/run/portward/status.sock",
			detail: "metrics-only",
			tls: { cert: "/c.pem", key: "/k.pem", clientCa: "/ca.pem" },
			tokenFile: "/token",
		},
		confinement: "off",
		bootPolicy: "block",
		confirm: "required",
		confirmWithin: 120,
		failsafe: {
			ingress: [
				{
					protocol: "tcp",
					icmpType: null,
					cidr: { family: 4, base: 0xc0000200n, prefix: 24 },
					port: { first: 22, last: 22 },
					interface: { name: "eth", prefix: true },
				},
				{
					protocol: null,
					icmpType: null,
					cidr: { family: 6, base: 0x20010db8000000000000000000000001n, prefix: 128 },
					port: null,
					interface: null,
				},
			],
			egress: [
				{
					protocol: "udp",
					icmpType: null,
					cidr: null,
					port: { first: 6000, last: 6010 },
					interface: null,
				},
			],
		},
		guests: {
			forwarded: "enforce",
			interfaces: [
				{ name: "ve-", prefix: true },
				{ name: "tap0", prefix: false },
			],
			uplinks: ["vmbr0"],
		},
		policySignature: "required",
		policyTests: "enforce",
		trustedKeys: ["ed25519:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="],
		observe: { enabled: false, maxFlows: 5000 },
		metrics: { maxRuleSeries: 0 },
		alertThrottling: true,
		maxAlertPerSec: 3,
		throttleSec: 4,
		kubearmorApi: {
			address: "0.0.0.0:32767",
			healthAddress: "unix:/h.sock",
			tls: { cert: "/c.pem", key: "/k.pem", clientCa: "/a.pem" },
		},
		alerts: {
			stdout: false,
			file: "/var/log/a.json",
			fileMaxBytes: 4096,
			fileKeep: 0,
			perSecond: 10,
			buffer: 1,
			sinks: [sinkSettings({ name: "j", type: "journald" })],
		},
	});
});

describe("what is refused, with its place", () => {
	test.each([
		["polcyDir: /x", "1:1 unknown-field polcyDir", "did you mean policyDir?"],
		["status:\n  adress: x", "2:3 unknown-field status.adress", "did you mean address?"],
		["alerts:\n  fileMax: 1", "2:3 unknown-field alerts.fileMax", "known fields"],
		["__proto__: {a: 1}", "1:1 unknown-field __proto__", "known fields"],
		["table: a\ntable: b", "2:1 duplicate-field table", "one of them"],
		["hostDefaultNetworkPosture: Block", "1:28 bad-setting hostDefaultNetworkPosture", "block or audit"],
		["hostDefaultNetworkPosture: allow", "1:28 bad-setting hostDefaultNetworkPosture", "block or audit"],
		['hostDefaultNetworkPosture: ""', "1:28 bad-setting hostDefaultNetworkPosture", "block or audit"],
		["hostDefaultDevicePosture: deny", "1:27 bad-setting hostDefaultDevicePosture", "block or audit"],
		["stagedNetworkPosture: audit", "1:23 bad-setting stagedNetworkPosture", "none or block"],
		["stagedDevicePosture: true", "1:22 bad-setting stagedDevicePosture", "none or block"],
		["enableNetworkPolicyEnforcer: yes", "1:30 bad-setting enableNetworkPolicyEnforcer", "true or false"],
		["essentials: 1", "1:13 bad-setting essentials", "true or false"],
		["policyDir: policies", "1:12 bad-setting policyDir", "absolute path"],
		["stateDir: [/a]", "1:11 wrong-type stateDir", ""],
		["nodeLabels: {a: 1}", "1:17 bad-setting nodeLabels.a", "quotes"],
		["nodeLabels: [a]", "1:13 wrong-type nodeLabels", ""],
		["nodeLabels: a", "1:13 bad-setting nodeLabels", "NAME: VALUE"],
		["allowlistScope: both", "1:17 bad-setting allowlistScope", "direction or host"],
		["table: 'x; flush ruleset'", "1:8 bad-setting table", "letters"],
		["table: 9x", "1:8 bad-setting table", "letters"],
		[`table: ${"a".repeat(65)}`, "1:8 bad-setting table", "64"],
		["nflogGroup: 0", "1:13 bad-setting nflogGroup", "1 to 65535"],
		["nflogGroup: 65536", "1:13 bad-setting nflogGroup", "1 to 65535"],
		["nflogGroup: 1.5", "1:13 bad-setting nflogGroup", "1 to 65535"],
		['nflogGroup: "5"', "1:13 bad-setting nflogGroup", "1 to 65535"],
		["maxElements: 0", "1:14 bad-setting maxElements", "1 to 100000000"],
		["maxElements: .inf", "1:14 bad-setting maxElements", "1 to 100000000"],
		["rulesetForm: Auto", "1:14 bad-setting rulesetForm", "auto"],
		["status: 127.0.0.1:80", "1:9 bad-setting status", "address"],
		["observe: {maxFlows: 999}", "1:21 bad-setting observe.maxFlows", "1000 to 1000000"],
		["metrics: {maxRuleSeries: 10001}", "1:26 bad-setting metrics.maxRuleSeries", "0 to 10000"],
		["alerts: {buffer: 0}", "1:18 bad-setting alerts.buffer", "1 to"],
		["alerts: {file: alerts.json}", "1:16 bad-setting alerts.file", "absolute"],
		["status:\n  tls: {cert: /a}", "2:8 bad-setting status.tls.key", ""],
		["status: {detail: some}", "1:18 bad-setting status.detail", "metrics-only"],
		["bootPolicy: closed", "1:13 bad-setting bootPolicy", "last-good"],
		["confirmWithin: 5", "1:16 bad-setting confirmWithin", "from 10"],
		["failsafe: [a]", "1:11 wrong-type failsafe", ""],
		["failsafe: {ingress: {port: 22}}", "1:21 bad-setting failsafe.ingress", "list of rules"],
		["failsafe: {ingress: [{}]}", "1:22 bad-setting failsafe.ingress[0]", "accept everything"],
		[
			"failsafe: {ingress: [{prot: TCP, interface: eth0}]}",
			"1:23 unknown-field failsafe.ingress[0].prot",
			"did you mean",
		],
		["failsafe: {egress: [{port: 22}]}", "1:28 bad-setting failsafe.egress[0].port", "protocol"],
		["failsafe: {egress: [{protocol: TCP, port: 0}]}", "1:43 bad-setting failsafe.egress[0].port", "65535"],
		["failsafe: {egress: [{protocol: 256}]}", "1:32 bad-setting failsafe.egress[0].protocol", "0 to 255"],
		[
			"failsafe: {egress: [{protocol: GRE, port: 1}]}",
			"1:43 bad-setting failsafe.egress[0].port",
			"has ports",
		],
		[
			"failsafe: {egress: [{protocol: UDP, icmpType: 8}]}",
			"1:47 bad-setting failsafe.egress[0].icmpType",
			"ICMP",
		],
		["failsafe: {egress: [{icmpType: 8}]}", "1:32 bad-setting failsafe.egress[0].icmpType", "ICMP"],
		[
			"failsafe: {egress: [{protocol: ICMP, icmpType: ping}]}",
			"1:48 bad-setting failsafe.egress[0].icmpType",
			"echo-request",
		],
		["failsafe: {egress: [{protocol: IP}]}", "1:32 bad-setting failsafe.egress[0].protocol", "SCTP"],
		["failsafe: {egress: [{cidr: 10.0.0.1/8}]}", "1:28 bad-setting failsafe.egress[0].cidr", "host bits"],
		["trustedKeys: [ed25519:x]", "1:15 bad-setting trustedKeys[0]", "32 bytes"],
		["- a", "1:1 wrong-type ", ""],
		["a: b: c", "1:4 yaml-syntax ", ""],
		["table: a\n---\ntable: b", "2:1 second-document ", "remove"],
		["table: \u0000", "1:8 not-text ", "UTF-8"],
	])("%j", (text, finding, hint) => {
		const result = parseConfig("config.yaml", text);
		const diagnostics = result.ok ? [] : result.diagnostics;
		expect(diagnostics.map((d) => `${d.line}:${d.column} ${d.code} ${d.path}`)).toEqual([finding]);
		expect(diagnostics[0]?.hint).toContain(hint);
		expect(diagnostics[0]?.file).toBe("config.yaml");
	});

	test("a file beyond 1 MiB is refused unread", () => {
		const result = parseConfig("c", "#".repeat(1024 * 1024 + 1));
		expect(!result.ok && result.diagnostics.map((d) => d.code)).toEqual(["file-too-large"]);
	});

	test("all of it at once, in order", () => {
		const result = parseConfig("c", "nflogGroup: 0\nfoo: 1\nalerts:\n  bar: 1\n  buffer: x\n");
		expect(!result.ok && result.diagnostics.map((d) => d.path)).toEqual([
			"nflogGroup",
			"foo",
			"alerts.bar",
			"alerts.buffer",
		]);
	});

	test("never throws", () => {
		const unit = fc.constantFrom(..."statusalerts:{}[]&*!~- \n'\"0");
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.string({ unit })), (text) => void parseConfig("c", text)),
			{ numRuns: 2000 },
		);
		fc.assert(fc.property(fc.json(), (text) => void parseConfig("c", text)));
	});
});

test("related: accept is warned of, at its place", () => {
	const result = parseConfig("config.yaml", "essentials: true\nrelated: accept\n");
	const warned = result.diagnostics.map(({ line, code, severity }) => ({ line, code, severity }));
	expect(warned).toEqual([{ line: 2, code: "related-accept", severity: "warning" }]);
	expect(parseConfig("config.yaml", "related: policy\n").diagnostics).toEqual([]);
});

test("failsafe rules name protocols without ports, by name or number", () => {
	const { failsafe } = settings(
		"failsafe: {ingress: [{protocol: ICMP, icmpType: echo-request}, {protocol: 112}, {protocol: icmpv6}, {protocol: 6, port: 22}]}",
	);
	expect(failsafe.ingress).toMatchObject([
		{ protocol: 1, icmpType: 8 },
		{ protocol: 112, icmpType: null },
		{ protocol: 58, icmpType: null },
		{ protocol: "tcp", port: { first: 22, last: 22 } },
	]);
});
