/** What stands for rules in the metrics where they are many: real packets, while rules come and go. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

setDefaultTimeout(180_000);
const rig = eachOnRig();

const ofAction = 'portward_policy_packets_total{direction="ingress",action="Block",hook="input"}';
const ofPolicy = (name: string) =>
	`portward_policy_packets_total{policy="${name}",direction="ingress",action="Block",hook="input"}`;
const ofRule = (name: string) =>
	`portward_policy_packets_total{policy="${name}",rule="0",direction="ingress",action="Block",hook="input"}`;

test("sums count every packet once, keep what a rule counted that left, and follow the setting", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	rig.home.put("b.yaml", blocks("b", 82));
	const settings = (maxRuleSeries: number) => ({ metrics: { maxRuleSeries } });
	await using daemon = await Daemon.start(rig.lab.guarded, { config: settings(0) }, rig.home);
	expect(await rig.blockedPorts(81, 82)).toEqual([81, 82]);
	let before = 0;
	await eventually("the counts", async () => {
		const metrics = await daemon.metrics();
		before = metrics.get(ofAction) ?? 0;
		return before >= 2;
	});
	expect((await daemon.metrics()).get('portward_rule_series_level{level="action"}')).toBe(1);
	rig.home.put("a.yaml", null);
	await eventually("a to leave", async () => (await rig.blockedPorts(81)).length === 0);
	expect(await rig.blockedPorts(82)).toEqual([82]);
	await eventually("the sum", async () => ((await daemon.metrics()).get(ofAction) ?? 0) > before);

	const reloadWith = async (maxRuleSeries: number, level: string) => {
		const config: unknown = JSON.parse(await Bun.file(rig.home.config).text());
		writeFileSync(rig.home.config, JSON.stringify(Object.assign(Object(config), settings(maxRuleSeries))));
		daemon.signal("SIGHUP");
		const name = `portward_rule_series_level{level="${level}"}`;
		await eventually(level, async () => (await daemon.metrics()).get(name) === 1);
		return daemon.metrics();
	};
	rig.home.put("c.yaml", blocks("c", 83));
	await eventually(
		"c",
		async () => ((await daemon.metrics()).get('portward_policies{state="enforced"}') ?? 0) === 2,
	);
	const ruled = await reloadWith(2, "rule");
	expect(ruled.get(ofRule("b"))).toBeGreaterThan(0);
	expect(ruled.has(ofPolicy("b"))).toBe(false);
	expect(ruled.has(ofAction)).toBe(false);
});
