import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { configSchema } from "../../src/config/schema.ts";
import { isListenAddress } from "../../src/config/values.ts";

describe("status.address", () => {
	test.each([
		"127.0.0.1:9755",
		"0.0.0.0:1",
		"[::1]:65535",
		"[2001:db8::1]:80",
		"unix:/run/x.sock",
		`unix:/${"x".repeat(106)}`,
	])("accepts %s", (address) => {
		expect(isListenAddress(address)).toBe(true);
	});

	test.each([
		"",
		"9755",
		":9755",
		"localhost:80",
		"127.0.0.1",
		"127.0.0.1:0",
		"127.0.0.1:080",
		"127.0.0.1:65536",
		"127.1:80",
		"::1:80",
		"[127.0.0.1]:80",
		"[::1]",
		"[fe80::1%eth0]:80",
		"unix:",
		"unix:rel",
		`unix:/${"x".repeat(107)}`,
		"unix:/a b",
		"http://127.0.0.1:80",
	])("refuses %s", (address) => {
		expect(isListenAddress(address)).toBe(false);
	});
});

test("every default is itself an allowed value", () => {
	const defaults = v.parse(configSchema, {});
	const written = { ...defaults, alerts: { ...defaults.alerts, file: "/var/log/portward.json" } };
	expect(v.parse(configSchema, written)).toEqual(written);
});
