import { describe, expect, test } from "bun:test";
import { expectRefused, expectWarned, firstRule, policyText } from "../../../engine/support/policy.ts";

const rule = (text: string): string => `ingress: [${text}]`;
const port = (text: string): string => rule(`{ports: [${text}]}`);
const at = "spec.ingress[0]";

describe("ports", () => {
	test.each([
		["{port: 22}", "tcp", [22, 22]],
		['{port: "22"}', "tcp", [22, 22]],
		["{port: SSH}", "tcp", [22, 22]],
		["{port: ssh, endPort: 25}", "tcp", [22, 25]],
		["{port: 80, endPort: 80}", "tcp", [80, 80]],
		['{port: 8000, endPort: "9000", protocol: udp}', "udp", [8000, 9000]],
		["{port: dns, protocol: UDP}", "udp", [53, 53]],
		["{port: 65535, protocol: Sctp}", "sctp", [65535, 65535]],
		["{protocol: tcp}", "tcp", null],
		["{protocol: SCTP}", "sctp", null],
	] as const)("ports entry %s", (entry, protocol, range) => {
		const [port] = firstRule(`ingress: [{ports: [${entry}]}]`).ports;
		expect(port?.protocol).toBe(protocol);
		expect(port?.range ?? null).toEqual(range === null ? null : { first: range[0], last: range[1] });
	});

	test("a protocol without a port is that protocol only, not everything (N10)", () => {
		expect(firstRule("ingress: [{ports: [{protocol: UDP}]}]").ports).toMatchObject([
			{ protocol: "udp", range: null },
		]);
	});

	test.each([["ingress: [{ports: [{}]}]", "any-tcp-port spec.ingress[0].ports[0]"]])(
		"%j is warned of",
		(spec, finding) => {
			expectWarned(policyText(spec), finding);
		},
	);

	test.each([
		[port("port:22"), `wrong-type ${at}.ports[0]`, "space after the colon"],
		[port("{port: 0}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 70000}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: -1}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 010}"), `bad-port ${at}.ports[0].port`, "write 10"],
		[port("{port: 2e2}"), `bad-port ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: 80-90}"), `bad-port ${at}.ports[0].port`, "endPort: 90"],
		[port("{port: sssh}"), `unknown-service ${at}.ports[0].port`, "number"],
		[port("{port: ntp}"), `unknown-service ${at}.ports[0].port`, "protocol: UDP"],
		[port("{port: [22]}"), `wrong-type ${at}.ports[0].port`, "1 to 65535"],
		[port("{port: true}"), `wrong-type ${at}.ports[0].port`, "1 to 65535"],
		[port("{endPort: 90}"), `end-port-alone ${at}.ports[0].endPort`, "port"],
		[port("{port: 90, endPort: 80}"), `end-port-below-port ${at}.ports[0].endPort`, ""],
		[port("{port: ssh, endPort: 21}"), `end-port-below-port ${at}.ports[0].endPort`, ""],
		[port("{port: 1, endPort: http}"), `wrong-type ${at}.ports[0].endPort`, "number"],
		[port("{port: 1, endPort: 65536}"), `bad-end-port ${at}.ports[0].endPort`, "65535"],
	])("%j is refused", (spec, finding, hint) => {
		expectRefused(policyText(spec), finding, hint);
	});
});
