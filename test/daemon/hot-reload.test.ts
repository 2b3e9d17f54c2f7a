import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { hotReload } from "../../src/daemon/hot-reload.ts";

test("what policies mean changes at once, the rest is named", () => {
	const running = defaultConfig();
	const wanted = {
		...running,
		hostDefaultNetworkPosture: "audit",
		nodeLabels: { role: "database" },
		metrics: { maxRuleSeries: 5 },
		table: "other",
		status: { ...running.status, address: "127.0.0.1:1" },
	} as const;
	const { config, needRestart } = hotReload(running, wanted);
	expect(config).toEqual({
		...running,
		hostDefaultNetworkPosture: "audit",
		nodeLabels: { role: "database" },
		metrics: { maxRuleSeries: 5 },
	});
	expect(needRestart.toSorted()).toEqual(["status", "table"]);
});

test("equal settings need nothing", () => {
	expect(hotReload(defaultConfig(), defaultConfig())).toEqual({ config: defaultConfig(), needRestart: [] });
});
