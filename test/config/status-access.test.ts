import { describe, expect, test } from "bun:test";
import { defaultConfig, parseConfig } from "../../src/config/parse.ts";
import {
	localStatusSocket,
	needsLocalSocket,
	statusRefusal,
	statusWarnings,
} from "../../src/config/status-access.ts";
import { isLocalAddress } from "../../src/config/values.ts";

const status = defaultConfig().status;
const tls = { cert: "/c", key: "/k", clientCa: null };
const open = "0.0.0.0:9755";

describe("where only this host can connect", () => {
	test.each(["127.0.0.1:9755", "127.8.8.8:1", "[::1]:1", "[0:0:0:0:0:0:0:1]:1", "unix:/run/p.sock"])(
		"%s",
		(address) => {
			expect(isLocalAddress(address)).toBe(true);
			expect(statusRefusal({ ...status, address })).toBeNull();
			expect(statusWarnings({ ...status, address })).toEqual([]);
		},
	);

	test.each([
		"0.0.0.0:1",
		"128.0.0.1:1",
		"[::]:1",
		"192.0.2.1:1",
		"[2001:db8::1]:1",
		"[::ffff:127.0.0.1]:1",
		"nonsense",
	])("not %s", (address) => {
		expect(isLocalAddress(address)).toBe(false);
		expect(statusRefusal({ ...status, address })?.hint).toContain("status.tls");
	});
});

test.each([
	["nothing", {}, true, 0],
	["a token", { tokenFile: "/t" }, false, 1],
	["TLS", { tls }, false, 1],
	["TLS and a token", { tls, tokenFile: "/t" }, false, 0],
	["TLS and a client CA", { tls: { ...tls, clientCa: "/a" } }, false, 0],
	["all details", { detail: "full" }, true, 0],
] as const)("for other hosts with %s", (_, more, refused, warnings) => {
	const settings = { ...status, address: open, ...more };
	expect(statusRefusal(settings) !== null).toBe(refused);
	expect(statusWarnings(settings)).toHaveLength(warnings);
});

test("a token without TLS is warned about as what it is: readable on the network", () => {
	expect(statusWarnings({ ...status, address: open, tokenFile: "/t" })[0]).toContain(
		"reads the bearer token",
	);
});

test("what does not count for a Unix socket is said", () => {
	const address = "unix:/run/p.sock";
	for (const more of [{ tls }, { tokenFile: "/t" }] as const) {
		expect(statusWarnings({ ...status, address, ...more })[0]).toContain("count for TCP alone");
	}
});

test("root's own socket is opened beside every other address", () => {
	for (const address of [status.address, open, "unix:/run/p.sock"])
		expect(needsLocalSocket({ address }, "/state")).toBe(true);
	expect(needsLocalSocket({ address: `unix:${localStatusSocket("/state")}` }, "/state")).toBe(false);
});

test("over TCP only the metrics are told unless the settings say otherwise", () => {
	expect(status.detail).toBe("metrics-only");
});

test("a refused address is an error with its place, and the settings hold all the same", () => {
	const result = parseConfig("c.yaml", 'clusterName: x\nstatus:\n  address: "0.0.0.0:9755"\n');
	expect(result).toMatchObject({
		ok: true,
		config: { clusterName: "x", status: { address: open } },
		diagnostics: [{ file: "c.yaml", line: 3, column: 12, code: "status-refused", severity: "error" }],
	});
	expect(parseConfig("c.yaml", `status: {address: "${open}", tokenFile: /t}`)).toMatchObject({
		diagnostics: [],
	});
	expect(parseConfig("c.json", `{"status": {"address": "${open}"}}`)).toMatchObject({
		diagnostics: [{ line: 1, column: 24 }],
	});
});
