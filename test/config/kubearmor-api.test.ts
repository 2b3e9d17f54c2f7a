import { describe, expect, test } from "bun:test";
import { apiRefusal, numericAddress } from "../../src/config/kubearmor-api.ts";
import { parseConfig } from "../../src/config/parse.ts";

const tls = "tls: {cert: /c.pem, key: /k.pem}";
const mutual = "tls: {cert: /c.pem, key: /k.pem, clientCa: /a.pem}";

function read(text: string) {
	return parseConfig("c.yaml", `kubearmorApi: {${text}}\n`);
}

test.each([
	"",
	"address: 127.0.0.1:32767",
	"address: localhost:32767, healthAddress: 'localhost:32766'",
	"address: '[::1]:32767', healthAddress: '127.0.0.1:32766'",
	"address: unix:/run/portward/kubearmor.sock",
	`address: 127.0.0.1:32767, ${tls}`,
	`address: 0.0.0.0:32767, healthAddress: '[::]:32766', ${mutual}`,
])("{%s} is right", (text) => {
	expect(read(text)).toMatchObject({ ok: true, diagnostics: [] });
});

describe("what is wrong, with its place", () => {
	test.each([
		["address: 32767", "1:25 bad-setting kubearmorApi.address", 'write "127.0.0.1:32767"'],
		["address: ':32767'", "1:25 bad-setting kubearmorApi.address", 'write "127.0.0.1:32767"'],
		["address: example.org:1", "1:25 bad-setting kubearmorApi.address", 'write "127.0.0.1:32767"'],
		["address: unix:run/x", "1:25 bad-setting kubearmorApi.address", "unix:/run/"],
		[
			"healthAddress: 127.0.0.1:1",
			"1:31 bad-setting kubearmorApi.healthAddress",
			"health alone is not served",
		],
		[
			"address: 127.0.0.1:1, healthAddress: 127.0.0.1:1",
			"1:53 bad-setting kubearmorApi.healthAddress",
			"address tells health too",
		],
		[`address: 127.0.0.1:1, tls: {cert: /c.pem}`, "1:43 bad-setting kubearmorApi.tls.key", "tls"],
		["adress: x", "1:16 unknown-field kubearmorApi.adress", "did you mean address?"],
	])("{%s}", (text, place, hint) => {
		const result = read(text);
		const [first] = result.diagnostics;
		expect(result.ok).toBe(false);
		expect(`${first?.line}:${first?.column} ${first?.code} ${first?.path}`).toBe(place);
		expect(first?.hint).toContain(hint);
	});
});

describe("beyond loopback", () => {
	test.each([
		["address: 0.0.0.0:32767", "kubearmorApi.address"],
		["address: '[::]:32767'", "kubearmorApi.address"],
		[`address: 192.0.2.1:32767, ${tls}`, "kubearmorApi.address"],
		["address: 127.0.0.1:32767, healthAddress: 0.0.0.0:32766", "kubearmorApi.healthAddress"],
	])("{%s} is refused without a CA for clients, and the rest of the settings holds", (text, path) => {
		const result = read(text);
		expect(result).toMatchObject({
			ok: true,
			diagnostics: [{ severity: "error", code: "api-refused", path }],
		});
		expect(result.diagnostics[0]?.hint).toContain("clientCa");
		if (result.ok) expect(apiRefusal(result.config.kubearmorApi)?.key).toBe(path.split(".")[1] as "address");
	});
});

test("localhost is this host's own address, and nothing else is looked up", () => {
	expect(numericAddress("localhost:1")).toBe("127.0.0.1:1");
	expect(numericAddress("unix:/localhost:1")).toBe("unix:/localhost:1");
});
