import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UsbEnforcer } from "../../../../src/enforcers/usb/run/enforcer.ts";
import { UsbHistoryKeeper } from "../../../../src/enforcers/usb/run/history-keeper.ts";
import { UsbMemory } from "../../../../src/enforcers/usb/run/memory.ts";
import { deviceStatuses, UsbReporter } from "../../../../src/enforcers/usb/run/reporter.ts";
import type { Alert } from "../../../../src/report/alert.ts";
import { createLogger } from "../../../../src/report/log.ts";
import { badUsb } from "../support/shapes.ts";
import { entry, UsbRig } from "../support/usb-rig.ts";

const evil = {
	...badUsb,
	strings: { product: "Evil\x1b[2J\n", serial: "S" },
};

let rig: UsbRig;
let alerts: Alert[];
let lines: string[];
let history: UsbHistoryKeeper;
let reporter: UsbReporter;
let enforcer: UsbEnforcer;
beforeEach(() => {
	rig = new UsbRig();
	alerts = [];
	lines = [];
	const log = createLogger({
		format: "text",
		colour: false,
		now: () => 0,
		write: (line) => lines.push(line),
	});
	const sink = { publish: (batch: readonly Alert[]) => void alerts.push(...batch) };
	history = new UsbHistoryKeeper({
		stateDirectory: rig.stateDirectory,
		boot: "b",
		warn: (message) => lines.push(message),
	});
	reporter = new UsbReporter(sink, { clusterName: "c", hostName: "h", nodeId: "n" }, log, history);
	enforcer = new UsbEnforcer({
		config: () => rig.config,
		root: rig.kernel.root,
		sources: [rig.kernel],
		pools: { authorize: rig.kernel.pool, refuse: rig.kernel.pool },
		memory: new UsbMemory(rig.stateDirectory, "b"),
		deadline: 50,
		events: reporter,
	});
});
afterEach(async () => {
	await enforcer.stop();
	history.stop();
	await rig.stop();
});

const of = (port: string) => alerts.filter((alert) => alert.EventData.Port === port);

async function run(...entries: Parameters<UsbRig["run"]>): Promise<void> {
	await enforcer.start();
	await enforcer.enforce(entries);
}

describe("the reporter", () => {
	test("keeps each device that comes, with what became of it", async () => {
		await run(entry("Block", { class: 8 }, "sticks"));
		rig.kernel.plug("1-1", evil);
		await rig.until(() => of("1-1").length === 2, "two alerts");
		rig.kernel.unplug("1-1");
		await rig.until(() => of("1-1").length === 4, "the end of it");
		rig.kernel.plug("1-1", evil);
		await rig.until(() => of("1-1").length === 6, "two more");
		const [device, ...others] = history.seen().devices;
		expect(others).toEqual([]);
		expect(device).toMatchObject({ count: 2, present: true, device: { port: "1-1" } });
		expect(device?.verdict.functions).toContainEqual(
			expect.objectContaining({ class: 8, action: "Block", policy: "sticks", refused: true }),
		);
	});

	test("tells of what a staged policy would refuse, which passes", async () => {
		await enforcer.start();
		const staged = { entries: [entry("Block", { class: 8 }, "sticks")], policies: ["sticks"] };
		await enforcer.enforce([], true, staged);
		rig.kernel.plug("1-1", evil);
		await rig.until(() => of("1-1").length === 3, "three alerts");
		expect(of("1-1").find(({ PolicyName }) => PolicyName === "sticks")).toMatchObject({
			Type: "MatchedHostPolicy",
			Action: "Audit (Block)",
			Result: "Passed",
			EventData: { WouldBe: "Block", Staged: "sticks" },
		});
	});

	test("raises one alert for each judged function, once, and again when the verdict changes", async () => {
		await run(entry("Block", { class: 8 }, "sticks"));
		rig.kernel.plug("1-1", evil);
		await rig.until(() => of("1-1").length === 2, "two alerts");
		expect(
			of("1-1").map(({ PolicyName, Type, Resource, Action, Result }) => [
				PolicyName,
				Type,
				Resource,
				Action,
				Result,
			]),
		).toEqual([
			["sticks", "MatchedHostPolicy", "USB MASS-STORAGE", "Block", "Permission denied"],
			["", "HostLog", "USB HID", "Audit", "Passed"],
		]);
		await enforcer.enforce([entry("Block", { class: 8 }, "sticks"), entry("Block", { class: 14 })]);
		expect(of("1-1")).toHaveLength(2);
		await enforcer.enforce([entry("Allow", { class: 8 }, "ok")]);
		expect(
			of("1-1")
				.slice(2)
				.map(({ PolicyName, Result }) => [PolicyName, Result]),
		).toEqual([
			["ok", "Passed"],
			["DefaultPosture", "Permission denied"],
		]);
		rig.kernel.unplug("1-1");
		await rig.until(() => of("1-1").length === 6, "the removal");
		expect(
			of("1-1")
				.slice(4)
				.map(({ Result }) => Result),
		).toEqual(["Removed", "Removed"]);
	});

	test("keeps a device's control characters out of alerts and the log", async () => {
		await run(entry("Block", { class: 8 }));
		rig.kernel.plug("1-1", evil);
		await rig.until(() => lines.some((line) => line.includes("USB device partial")), "the log line");
		expect(lines.join("")).not.toMatch(/[\x1b]|2J\n$/);
		expect(JSON.stringify(of("1-1"))).toContain("Evil\\\\x1b[2J\\\\n");
	});

	test("says nothing about root hubs that no entry names", async () => {
		await run(entry("Block", {}));
		expect(of("usb1")).toEqual([]);
		await enforcer.enforce([entry("Block", { class: 9 })]);
		expect(
			of("usb1").every(({ Result, Message }) => Result === "Passed" && Message.includes("root hub")),
		).toBe(true);
		expect(of("usb1").length).toBeGreaterThan(0);
	});

	test("counts devices, decisions and times, and shows each device's functions", async () => {
		await run(entry("Allow", { class: 8 }, "sticks"));
		rig.kernel.plug("1-1", evil);
		await rig.until(() => rig.kernel.bound("1-1").length === 1 && of("1-1").length === 2, "the disk");
		expect(reporter.counts(enforcer)).toMatchObject({
			devices: { authorized: 1, partial: 1, refused: 0, pending: 0 },
			decisions: { Allow: 1, Block: 1 },
			rescans: 1,
			overflows: 0,
			pendingWrites: 0,
		});
		expect(reporter.counts(enforcer).decisionSeconds.count).toBe(1);
		expect(deviceStatuses(enforcer).find(({ port }) => port === "1-1")).toMatchObject({
			state: "partial",
			vendorId: "1d6b",
			functions: [
				{
					interface: 0,
					className: "MASS-STORAGE",
					action: "Allow",
					refused: false,
					policy: "sticks",
					driver: "usb-storage",
				},
				{
					interface: 1,
					className: "HID",
					action: "Block",
					refused: true,
					policy: "DefaultPosture",
					driver: null,
				},
			],
		});
	});

	test("a device that hangs is pending, with an alert; somebody else's authorization and a lost event are told", async () => {
		rig.kernel.plug("1-1", evil);
		const release = Promise.withResolvers<void>();
		rig.kernel.hanging.set("1-1", release.promise);
		await run(entry("Block", { class: 8 }));
		expect(deviceStatuses(enforcer).find(({ port }) => port === "1-1")?.state).toBe("pending");
		expect(reporter.counts(enforcer).pendingWrites).toBe(1);
		expect(alerts.find(({ Message }) => Message.includes("pending"))).toMatchObject({
			Type: "SystemEvent",
			Enforcer: "USBDeviceHandler",
		});
		release.resolve();
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the end of the write");
		rig.kernel.overflow();
		rig.kernel.meddle("bus/usb/devices/1-1/1-1:1.0/authorized", "1");
		rig.kernel.meddle("bus/usb/drivers_probe", "1-1:1.0");
		await rig.until(() => alerts.some(({ Message }) => Message.includes("refused again")), "the alert");
		expect(reporter.counts(enforcer).overflows).toBe(1);
	});
});
