import { describe, expect, test } from "bun:test";
import { asideOf } from "../../../../src/document/parse.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { policyTestKind } from "../../../../src/engine/testing/kind.ts";

/** A document with one case, of which some fields are others; undefined leaves one out. */
function document(changes: object = {}, spec: object = {}): string {
	const one = {
		direction: "ingress",
		protocol: "tcp",
		address: "10.0.1.5",
		port: 5432,
		expect: "Allow",
		...changes,
	};
	return JSON.stringify({
		apiVersion: "portward.io/v1",
		kind: "PortwardTest",
		metadata: { name: "database" },
		spec: { cases: [one], ...spec },
	});
}

function parsed(text: string) {
	const [only] = parsePolicyFile("t.yaml", text).documents;
	if (only === undefined) throw new Error("no document");
	return { ...only, test: asideOf(policyTestKind, only)[0] };
}

test("a case is read as it is written, and the document is no policy", () => {
	const text = `
apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: database }
spec:
  nodeLabels: { role: database }
  settings: { hostDefaultNetworkPosture: block }
  cases:
  - { name: the application reaches it, direction: ingress, protocol: tcp, address: 10.0.1.5, port: 5432, interface: eth0, expect: Allow, policy: database-only }
  - { direction: EGRESS, protocol: UDP, address: "2001:db8::1", port: dns, sourcePort: 1900, expect: block }
`;
	const { policy, kind, diagnostics, test } = parsed(text);
	expect([policy, kind, diagnostics]).toEqual([null, "PortwardTest", []]);
	expect(test).toEqual({
		name: "database",
		place: { file: "t.yaml", line: 2, column: 1 },
		nodeLabels: { role: "database" },
		settings: '{"hostDefaultNetworkPosture":"block"}',
		cases: [
			{
				name: "the application reaches it",
				place: { file: "t.yaml", line: 9, column: 5 },
				direction: "ingress",
				protocol: "tcp",
				family: 4,
				address: 0x0a000105n,
				port: 5432,
				source: null,
				interface: "eth0",
				guest: null,
				by: null,
				expect: "Allow",
				policy: "database-only",
			},
			{
				name: "egress udp 53 2001:db8::1",
				place: { file: "t.yaml", line: 10, column: 5 },
				direction: "egress",
				protocol: "udp",
				family: 6,
				address: (0x20010db8n << 96n) + 1n,
				port: 53,
				source: 1900,
				interface: "",
				guest: null,
				by: null,
				expect: "Block",
				policy: null,
			},
		],
		tables: [],
		otherCases: [],
	});
});

test.each([
	[
		{ protocol: "icmp", port: undefined },
		{ port: 0, source: 8 },
	],
	[
		{ protocol: "icmp", port: undefined, icmpType: "time-exceeded" },
		{ port: 0, source: 11 },
	],
	[
		{ protocol: 47, port: undefined },
		{ protocol: 47, port: 0, source: null },
	],
	[{ port: "443" }, { port: 443 }],
])("%j is asked as %j", (changes, asked) => {
	const { diagnostics, test } = parsed(document(changes));
	expect(diagnostics).toEqual([]);
	expect(test?.cases[0]).toMatchObject(asked);
});

test("a guest is an address of its own", () => {
	const guestOf = (changes: object) => {
		const { diagnostics, test } = parsed(document(changes));
		expect(diagnostics).toEqual([]);
		return test?.cases[0];
	};
	expect(guestOf({ guest: "172.17.0.2" })?.guest).toBe(0xac110002n);
	const six = guestOf({ name: undefined, address: "2001:db8::1", guest: "fd00::2" });
	expect(six?.guest).toBe((0xfd00n << 112n) + 2n);
	expect(six?.name).toEndWith(" 2001:db8::1 guest fd00::2");
});

describe("what is wrong is told with its place", () => {
	test.each([
		[document({ direction: "in" }), "spec.cases[0].direction", "is no direction"],
		[document({ expect: "Deny" }), "spec.cases[0].expect", '"Deny" is not an action'],
		[document({ expect: undefined }), "spec.cases[0]", "expect is missing"],
		[document({ protocol: "tpc" }), "spec.cases[0].protocol", "is no protocol"],
		[document({ address: "10.0.0.0/8" }), "spec.cases[0].address", "10.0.0.0/8"],
		[document({ port: undefined }), "spec.cases[0]", "port is missing"],
		[document({ port: 70_000 }), "spec.cases[0].port", "70000"],
		[document({ port: "no-such-service" }), "spec.cases[0].port", "no-such-service"],
		[document({ icmpType: 8 }), "spec.cases[0].icmpType", "TCP has no types"],
		[document({ protocol: "gre" }), "spec.cases[0].port", "GRE has no ports"],
		[
			document({ protocol: "gre", port: undefined, icmpType: 1 }),
			"spec.cases[0].icmpType",
			"GRE has no types",
		],
		[document({ protocol: "icmp", port: undefined, icmpType: "pong" }), "spec.cases[0].icmpType", "pong"],
		[document({ protocol: "icmpv6", port: undefined }), "spec.cases[0]", "in IPv4"],
		[document({ interface: "eth*" }), "spec.cases[0].interface", "is a pattern"],
		[document({ guest: "172.17.0.0/16" }), "spec.cases[0].guest", "172.17.0.0/16"],
		[document({ guest: "true" }), "spec.cases[0].guest", "true"],
		[document({ guest: "fd00::2" }), "spec.cases[0].guest", "the guest has an IPv6 address"],
		[document({ user: "alice" }), "spec.cases[0].user", "what comes in has no user"],
		[document({ direction: "egress", user: ["alice"] }), "spec.cases[0].user", "expected text"],
		[document({ direction: "egress", group: 4294967295 }), "spec.cases[0].group", "no number of a group"],
		[document({ direction: "egress", service: "web@" }), "spec.cases[0].service", "a template"],
		[
			document({ direction: "egress", guest: "172.17.0.2", service: "web" }),
			"spec.cases[0].service",
			"what a guest sends has no service",
		],
		[document({ adress: "10.0.0.1" }), "spec.cases[0].adress", "unknown field"],
		[document({}, { cases: [] }), "spec.cases", "there is no case"],
		[document({}, { cases: undefined }), "spec", "cases is missing"],
		[document({}, { settings: [] }), "spec.settings", "expected settings"],
		[document().replace("portward.io/v1", "v1"), "apiVersion", "is not the version of this kind"],
		[document().replace('"spec"', '"specs"'), "", "spec is missing"],
	])("%#", (text, path, message) => {
		const { diagnostics, test } = parsed(text);
		expect(test).toBeUndefined();
		expect(diagnostics).toContainEqual(
			expect.objectContaining({ severity: "error", path, message: expect.stringContaining(message) }),
		);
	});
});

describe("tables", () => {
	const table = (changes: object = {}) => ({
		tables: [
			{
				direction: "ingress",
				columns: ["tcp 22", "udp ntp", "icmp", "icmpv6 128", "gre"],
				rows: { "10.0.1.5": ". X A - .", "2001:db8::1": "X X - . -" },
				...changes,
			},
		],
		cases: undefined,
	});

	test("each cell is a case, but where nothing is expected", () => {
		const { diagnostics, test } = parsed(document({}, table({ name: "who", interface: "eth0" })));
		expect(diagnostics).toEqual([]);
		const [found] = test?.tables ?? [];
		expect(found?.columns).toEqual(["tcp 22", "udp ntp", "icmp", "icmpv6 128", "gre"]);
		const cells = found?.rows.map(({ cells }) =>
			cells.map((cell) => cell && [cell.port, cell.source, cell.expect]),
		);
		expect(cells).toEqual([
			[[22, null, "Allow"], [123, null, "Block"], [0, 8, "Audit"], null, [0, null, "Allow"]],
			[[22, null, "Block"], [123, null, "Block"], null, [0, 128, "Allow"], null],
		]);
		expect(found?.rows[0]?.cells[1]).toMatchObject({
			name: "who: 10.0.1.5 udp ntp",
			interface: "eth0",
			direction: "ingress",
			address: 0x0a000105n,
		});
	});

	test.each([
		[{ rows: { "10.0.0.0/8": ". . . . ." } }, "bad-address"],
		[{ rows: { "10.0.0.1": ". ." } }, "bad-row"],
		[{ rows: { "10.0.0.1": ". . . . Y" } }, "bad-cell"],
		[{ rows: {} }, "no-cases"],
		[{ rows: undefined }, "missing-field"],
		[{ columns: ["tcp"] }, "bad-column"],
		[{ columns: ["tcp 70000"] }, "bad-column"],
		[{ columns: ["gre 5"] }, "bad-column"],
		[{ columns: ["icmp no-such-type"] }, "bad-column"],
		[{ columns: ["tcp 22 23"] }, "bad-column"],
		[{ direction: "in" }, "bad-direction"],
		[{ interface: "eth*" }, "bad-interface"],
		[{ user: "alice" }, "wrong-direction"],
	])("%j is refused", (changes, code) => {
		const found = parsed(document({}, table(changes)));
		expect(found.test).toBeUndefined();
		expect(found.diagnostics.map((one) => one.code)).toContain(code);
	});
});
