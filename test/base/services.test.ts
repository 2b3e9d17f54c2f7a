import { expect, test } from "bun:test";
import { lookupService, serviceNames } from "../../src/base/services.ts";

test.each([
	["ssh", "tcp", 22],
	["SSH", "tcp", 22],
	["dns", "udp", 53],
	["Dns", "tcp", 53],
	["domain", "udp", 53],
	["http", "tcp", 80],
	["https", "udp", 443],
	["postgresql", "tcp", 5432],
	["postgres", "tcp", 5432],
	["mysql", "tcp", 3306],
	["ntp", "udp", 123],
	["redis", "tcp", 6379],
	["amqp", "sctp", 5672],
	["syslog", "udp", 514],
	["dns", "sctp", 53],
] as const)("%s over %s is %d", (name, transport, port) => {
	expect(lookupService(name, transport)).toEqual({ ok: true, port });
});

test("a name of another transport says which one to write (N23)", () => {
	const result = lookupService("ntp", "tcp");
	expect(!result.ok && [result.message, result.hint]).toEqual([
		"ntp is a service of UDP, not of TCP",
		"write protocol: UDP, or the number 123 if TCP is meant",
	]);
});

test.each(["nosuch", "", "__proto__", "constructor", "toString"])("%j is unknown", (name) => {
	const result = lookupService(name, "tcp");
	expect(!result.ok && result.message).toContain("not a known service name");
});

test("every name has a valid port and is found in upper case", () => {
	expect(serviceNames().length).toBeGreaterThan(300);
	for (const name of serviceNames()) {
		const found = (["tcp", "udp", "sctp"] as const).map((transport) =>
			lookupService(name.toUpperCase(), transport),
		);
		const ports = found.flatMap((result) => (result.ok ? [result.port] : []));
		expect(ports.length).toBeGreaterThan(0);
		for (const port of ports) expect(port >= 1 && port <= 65535).toBe(true);
	}
});
