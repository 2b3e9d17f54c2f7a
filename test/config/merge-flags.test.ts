/** Flags on the command line over the settings of the file. */

import { describe, expect, test } from "bun:test";
import { defaultConfig, mergeFlags, parseConfig } from "../../src/config/parse.ts";

function settings(text: string) {
	const result = parseConfig("config.yaml", text);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result.config;
}

describe("mergeFlags", () => {
	const none = { policyDir: null, stateDir: null, statusAddress: null };

	test("flags win, absent ones change nothing", () => {
		const config = settings("policyDir: /file\nstateDir: /file-state\n");
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
