import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlannedQuota } from "../../../../../src/enforcers/network/compile/plan.ts";
import type { QuotaReading, QuotaRequest } from "../../../../../src/enforcers/network/observe/quotas.ts";
import { bootUsage, quotaFile } from "../../../../../src/enforcers/network/run/quota/kept-quotas.ts";
import { QuotaKeeper } from "../../../../../src/enforcers/network/run/quota/quota-keeper.ts";
import type { Alert } from "../../../../../src/report/alert.ts";
import { eventually } from "../../../../system/support/netns.ts";

const key = "0123456789abcdef";
const object = `q_${key}_1000`;
const rule = {
	id: "id",
	policy: "p",
	index: 0,
	direction: "egress",
	action: "Block",
	severity: 1,
	tags: [],
	message: "",
	place: null,
	counter: "over_id",
	logCounter: null,
} as const;
const quota: PlannedQuota = { key, object, rule, bytes: 1000, limit: "1000", seconds: 60 };
const identity = { clusterName: "c", hostName: "h", nodeId: "n" };

let stateDir: string;
beforeEach(() => {
	stateDir = mkdtempSync(join(tmpdir(), "portward-"));
});
afterEach(() => {
	rmSync(stateDir, { recursive: true });
});

function rig(reading: { value: QuotaReading | null }, clock = { now: 0 }) {
	const alerts: Alert[] = [];
	const asked: QuotaRequest[] = [];
	const warned: string[] = [];
	const call = async (_: string, request: unknown) => {
		asked.push(request as QuotaRequest);
		return reading.value;
	};
	const keeper = new QuotaKeeper({
		stateDir,
		nft: () => ({ call }) as unknown as ReturnType<ConstructorParameters<typeof QuotaKeeper>[0]["nft"]>,
		sink: { publish: (published) => void alerts.push(...published) },
		identity,
		warn: (message) => void warned.push(message),
		now: () => clock.now,
	});
	return { keeper, alerts, asked, warned, clock };
}

const used = (bytes: number, packets = 0): QuotaReading => ({
	used: { [object]: bytes },
	over: { over_id: { packets, bytes: packets } },
});
const event = {
	time: 1,
	ruleId: "id",
	interface: "eth0",
	packet: {
		family: 4,
		source: "192.0.2.1",
		destination: "192.0.2.2",
		protocol: 17,
		sourcePort: 1,
		destinationPort: 2,
	},
} as const;

test("what was used is kept, and what a new table begins with", async () => {
	const reading = { value: used(300) };
	const { keeper } = rig(reading);
	keeper.began([quota]);
	await keeper.refresh();
	await eventually("the number", () => keeper.status[0]?.usedBytes === 300);
	await keeper.stop();
	expect(bootUsage(stateDir, [quota], 1000)).toEqual({ [object]: 300 });
	expect(bootUsage(stateDir, [quota], 60_000)).toEqual({});
	const next = rig({ value: { used: {}, over: {} } });
	expect(await next.keeper.used([quota])).toEqual({ [object]: 300 });
	expect(next.warned).toEqual([]);
	await next.keeper.stop();
});

test("one alert a window, of the packet that was logged, and another in the next", async () => {
	const reading = { value: used(1000, 0) };
	const { keeper, alerts, asked, clock } = rig(reading);
	keeper.packets({ events: [event] });
	expect(alerts).toEqual([]);
	keeper.began([quota]);
	keeper.packets({ events: [event, event, { ...event, ruleId: "other" }] });
	expect(alerts).toMatchObject([
		{
			PolicyName: "p",
			Action: "Block",
			EventData: { SourceIP: "192.0.2.1", QuotaLimit: "1000", QuotaDuration: "60s" },
		},
	]);
	expect(alerts[0]?.Data).toContain("QuotaLimit=1000");
	await eventually("the first look", () => keeper.status[0]?.usedBytes === 1000);
	clock.now = 60_000;
	await Bun.sleep(110);
	await keeper.refresh();
	await eventually("a reset", () => asked.at(-1)?.reset[0] === object);
	await eventually("a new window", () => keeper.status[0]?.usedBytes === 0);
	// The record of the log was lost: the counter tells, at the end of the window at the latest.
	reading.value = used(1000, 5);
	clock.now = 120_000;
	await Bun.sleep(110);
	await keeper.refresh();
	await eventually("the other alert", () => alerts.length === 2);
	expect(alerts[1]?.EventData).not.toHaveProperty("SourceIP");
	await keeper.stop();
});

test("a kernel that does not answer changes nothing, and a damaged file is told of", async () => {
	writeFileSync(quotaFile(stateDir), "{}");
	const { keeper, warned } = rig({ value: null });
	expect(warned).toEqual([expect.stringContaining("what quotas used is not known from before")]);
	expect(await keeper.used([quota])).toEqual({});
	keeper.began([quota]);
	await keeper.refresh();
	expect(keeper.status).toMatchObject([{ usedBytes: 0 }]);
	keeper.began([]);
	expect(keeper.status).toEqual([]);
	await keeper.stop();
});
