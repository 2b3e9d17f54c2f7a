import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse.ts";
import { addressOf, diskBytes, parseSinkAddress } from "../../src/config/sinks.ts";

function sinks(text: string) {
	const result = parseConfig("c.yaml", `alerts:\n  sinks:\n${text}`);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.config.alerts.sinks;
}

test("what is not written has its default", () => {
	expect(sinks("  - {name: j, type: journald}")).toEqual([
		{
			name: "j",
			type: "journald",
			address: null,
			url: null,
			tls: { ca: null, cert: null, key: null },
			authorizationFile: null,
			format: "kubearmor",
			policies: [],
			actions: [],
			minSeverity: 1,
			kinds: [],
			queue: { memory: 4 * 1024 * 1024, disk: null },
		},
	]);
});

test("each type has its own address and its own queue on disk", () => {
	const [journal, syslog, hook, own] = sinks(
		`  - {name: a, type: journald}
  - {name: b, type: syslog}
  - {name: c, type: webhook, url: "https://siem.example/in"}
  - {name: d, type: syslog, address: "tls://[2001:db8::1]:6514", tls: {ca: /ca.pem}, queue: {disk: 1048576}}
`,
	);
	if (journal === undefined || syslog === undefined || hook === undefined || own === undefined)
		throw new Error("none");
	expect(addressOf(journal)).toEqual({ transport: "unix", path: "/run/systemd/journal/socket" });
	expect(addressOf(syslog)).toEqual({ transport: "unix", path: "/dev/log" });
	expect(addressOf(own)).toEqual({ transport: "tls", host: "2001:db8::1", port: 6514 });
	expect([journal, syslog, hook, own].map(diskBytes)).toEqual([0, 0, 64 * 1024 * 1024, 1024 * 1024]);
});

describe("addresses", () => {
	test.each([
		["unix:/dev/log", { transport: "unix", path: "/dev/log" }],
		["udp://192.0.2.1:514", { transport: "udp", host: "192.0.2.1", port: 514 }],
		["tcp://log.example:601", { transport: "tcp", host: "log.example", port: 601 }],
		["tls://[::1]:6514", { transport: "tls", host: "::1", port: 6514 }],
	] as const)("%s", (text, address) => {
		expect(parseSinkAddress(text)).toEqual(address);
	});

	test.each([
		"",
		"/dev/log",
		"unix:dev/log",
		"tcp://192.0.2.1",
		"tcp://192.0.2.1:0",
		"tcp://192.0.2.1:65536",
		"tcp://1.2.3:5",
		"tcp://[192.0.2.1]:5",
		"tcp://::1:5",
		"tcp://a b:5",
		"tcp://-a:5",
		"tcp://u@a:5",
		"http://a:5",
		`tcp://${"a".repeat(254)}:5`,
	])("%j is none", (text) => {
		expect(parseSinkAddress(text)).toBeNull();
	});
});

describe("what is refused, with its place and what to write", () => {
	test.each([
		["{name: A, type: journald}", "name", "lower-case"],
		["{name: ../a, type: journald}", "name", "lower-case"],
		["{name: a, type: kafka}", "type", "journald, syslog or webhook"],
		["{name: a, type: webhook}", "url", "write url for a webhook"],
		["{name: a, type: syslog, url: 'https://a/'}", "url", "no other"],
		["{name: a, type: webhook, url: 'http://siem.example/'}", "url", "https://"],
		["{name: a, type: webhook, url: 'https://u:p@a/'}", "url", "https://"],
		["{name: a, type: webhook, url: 'ftp://a/'}", "url", "https://"],
		["{name: a, type: webhook, url: 'https://a/', address: 'udp://b:1'}", "address", "a webhook has a url"],
		["{name: a, type: journald, address: 'udp://b:1'}", "address", "the journal's socket"],
		["{name: a, type: syslog, address: 'b:1'}", "address", "udp://"],
		["{name: a, type: syslog, authorizationFile: /t}", "authorizationFile", "only a webhook"],
		["{name: a, type: syslog, tls: {ca: /c}}", "tls", "tls:// and https://"],
		["{name: a, type: syslog, address: 'tls://b:1', tls: {cert: /c}}", "tls", "together"],
		["{name: a, type: syslog, queue: {disk: 5}}", "queue", "at least 1048576"],
		["{name: a, type: syslog, queue: {memory: 5}}", "queue.memory", "whole number"],
		["{name: a, type: syslog, minSeverity: 11}", "minSeverity", "1 to 10"],
		["{name: a, type: syslog, actions: [block]}", "actions", "Block"],
		["{name: a, type: syslog, kinds: [Log]}", "kinds", "SystemEvent"],
		["{name: a, type: syslog, colour: red}", "colour", ""],
	])("%s", (text, key, hint) => {
		const result = parseConfig("c.yaml", `alerts:\n  sinks:\n  - ${text}\n`);
		expect(result.ok).toBe(false);
		const [first] = result.diagnostics;
		expect(first?.line).toBe(3);
		expect(first?.path).toStartWith(`alerts.sinks[0].${key}`);
		expect(first?.hint).toContain(hint);
	});

	test("two of one name, and too many", () => {
		const hint = (text: string) => parseConfig("c.yaml", `alerts: {sinks: [${text}]}`).diagnostics[0]?.hint;
		const sink = (name: string) => `{name: ${name}, type: journald}`;
		expect(hint(`${sink("a")}, ${sink("a")}`)).toBe("write a name of its own for each sink");
		expect(hint(Array.from({ length: 17 }, (_, index) => sink(`s${index}`)).join())).toBe(
			"write at most 16 sinks",
		);
	});
});
