import { describe, expect, test } from "bun:test";
import { defaultConfig, mergeFlags } from "../../src/config/parse.ts";

describe("mergeFlags", () => {
	const none = { policyDir: null, stateDir: null, statusAddress: null };

	test("flags win, absent ones change nothing", () => {
		const config = { ...defaultConfig(), policyDir: "/file", stateDir: "/file-state" };
		expect(mergeFlags(config, none)).toEqual({ ok: true, config });
		expect(
			mergeFlags(config, { policyDir: "/flag", stateDir: "/flag-state", statusAddress: "[::1]:1" }),
		).toEqual({
			ok: true,
			config: {
				...config,
				policyDir: "/flag",
				stateDir: "/flag-state",
				status: { ...config.status, address: "[::1]:1" },
			},
		});
	});

	test.each(["", "localhost:80", "unix:rel"])("--status-address %j is a usage error", (statusAddress) => {
		const result = mergeFlags(defaultConfig(), { ...none, statusAddress });
		expect(!result.ok && result.message).toContain("127.0.0.1:9755");
	});

	test.each([{ policyDir: "rel" }, { stateDir: "" }])("%j is a usage error", (flags) => {
		expect(mergeFlags(defaultConfig(), { ...none, ...flags })).toMatchObject({ ok: false });
	});
});
