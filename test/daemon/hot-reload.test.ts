import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { hotReload } from "../../src/daemon/hot-reload.ts";
import { sinkSettings } from "../sinks/support/settings.ts";

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

test("of the settings of alerts sinks change at once, and the rest is named", () => {
	const running = defaultConfig();
	const sinks = [sinkSettings({ name: "j", type: "journald" })];
	const { config, needRestart } = hotReload(running, { ...running, alerts: { ...running.alerts, sinks } });
	expect(config.alerts).toEqual({ ...running.alerts, sinks });
	expect(needRestart).toEqual([]);
	const both = { ...running, alerts: { ...running.alerts, buffer: 5, sinks } };
	expect(hotReload(running, both)).toEqual({ config, needRestart: ["alerts"] });
});

test("equal settings need nothing", () => {
	expect(hotReload(defaultConfig(), defaultConfig())).toEqual({ config: defaultConfig(), needRestart: [] });
});
