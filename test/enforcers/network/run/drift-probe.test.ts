import { expect, test } from "bun:test";
import { DriftFilter, PROBE_PREFIX } from "../../../../src/enforcers/network/observe/drift-filter.ts";
import { DriftProbe } from "../../../../src/enforcers/network/run/drift-probe.ts";
import { until } from "../../../system/support/isolated.ts";

function setUp(seen: (table: string, times: number) => boolean) {
	const filter = new DriftFilter(() => {});
	const probes: string[] = [];
	const warnings: string[] = [];
	const probe = new DriftProbe({
		drift: filter,
		run: async (table) => {
			probes.push(table);
			if (seen(table, probes.length)) filter.add({ event: null, pid: 7, probes: [table] });
			return null;
		},
		warn: (message) => warnings.push(message),
		unseenMs: 5,
	});
	return { filter, probe, probes, warnings };
}

test("one probe does where it is seen", async () => {
	const { filter, probe, probes, warnings } = setUp(() => true);
	await probe.opened();
	await Bun.sleep(20);
	expect(filter.ready).toBe(true);
	expect(probes).toEqual([expect.stringMatching(new RegExp(`^${PROBE_PREFIX}[0-9a-f]{32}$`))]);
	expect(warnings).toEqual([]);
	probe.stop();
});

test("a probe that nobody saw is made again, under a new name, with one warning", async () => {
	const { filter, probe, probes, warnings } = setUp((_table, times) => times === 3);
	await probe.opened();
	await until(() => filter.ready, "the third probe is seen");
	expect(new Set(probes).size).toBe(3);
	expect(warnings).toHaveLength(1);
	probe.stop();
});

test("a new observer has to learn our thread again, but not before there is one", async () => {
	const { filter, probe, probes } = setUp(() => true);
	await probe.observing();
	expect(probes).toEqual([]);
	await probe.opened();
	await probe.observing();
	expect(probes).toHaveLength(2);
	expect(filter.ready).toBe(true);
	probe.stop();
});
