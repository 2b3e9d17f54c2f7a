import { expect, test } from "bun:test";
import fc from "fast-check";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { DeviceHistory, historyLimits } from "../../../../src/enforcers/usb/history/device-history.ts";
import { parseKeptHistory } from "../../../../src/enforcers/usb/history/kept-history.ts";
import {
	type SeenVerdict,
	seenDevicesJson,
	seenSince,
	seenVerdict,
} from "../../../../src/enforcers/usb/history/seen-device.ts";
import type { UsbDevice } from "../../../../src/enforcers/usb/subject.ts";
import { type Brief, device, entries } from "../compile/sample.ts";

const stick = device("00 | 08:06:50", { serial: "A" });
const keyboard = device("00 | 03:01:01", { port: "1-2" });

function judged(what: UsbDevice, ...briefs: Brief[]): SeenVerdict {
	const ruleset = new DeviceRuleset(entries(...briefs), "block");
	return seenVerdict(decideDevice(ruleset, what, { mode: "apply", consoleKeyboard: false }));
}

const allowed = judged(stick, ["Allow", 8]);
const refused = judged(stick, ["Block", 8]);

/** What a daemon that is started anew finds. */
function again(history: DeviceHistory, boot: string, now: number): DeviceHistory {
	const kept = parseKeptHistory(JSON.parse(JSON.stringify(history.kept(now))));
	if (kept === null) throw new Error("what was written cannot be read");
	return new DeviceHistory(boot, now, kept);
}

test("a device counts each time that it comes, and has the verdict of the last time", () => {
	const history = new DeviceHistory("boot", 1000);
	expect(history.settled("i1", stick, allowed, 2000)).toBe(true);
	expect(history.settled("i1", stick, allowed, 2500)).toBe(false);
	expect(history.left("i1", 3000)).toBe(true);
	expect(history.left("i1", 3000)).toBe(false);
	expect(history.settled("i2", stick, refused, 4000)).toBe(true);
	const { since, devices, lost } = history.seen(5000);
	expect({ since, lost }).toEqual({ since: 1000, lost: 0 });
	expect(devices).toEqual([
		{ device: stick, verdict: refused, count: 2, firstSeen: 2000, lastSeen: 5000, present: true },
	]);
	expect(devices[0]?.verdict.functions).toMatchObject([{ action: "Block", policy: "p", refused: true }]);
});

test("a verdict that changes is news, and no arrival", () => {
	const history = new DeviceHistory("boot", 0);
	history.settled("i1", stick, allowed, 1);
	expect(history.settled("i1", stick, refused, 2)).toBe(true);
	expect(history.seen(3).devices).toMatchObject([{ count: 1, verdict: { state: "refused" } }]);
});

test("another serial number, port or descriptor is another device", () => {
	const history = new DeviceHistory("boot", 0);
	const others = [
		stick,
		{ ...stick, serial: null },
		{ ...stick, port: "1-3" },
		{ ...stick, descriptorsHash: "0".repeat(64) },
	];
	for (const [index, other] of others.entries()) history.settled(`i${index}`, other, allowed, index);
	expect(history.seen(9).devices).toHaveLength(4);
});

test("root hubs do not come", () => {
	const history = new DeviceHistory("boot", 0);
	expect(history.settled("i", { ...stick, port: "usb1", level: 0 }, allowed, 1)).toBe(false);
	expect(history.seen(1).devices).toEqual([]);
});

test("a daemon that is started anew does not count what never left; the next boot does", () => {
	const history = new DeviceHistory("boot", 0);
	history.settled("i1", stick, allowed, 10);
	const restarted = again(history, "boot", 20);
	expect(restarted.seen(25).devices).toMatchObject([{ present: false, lastSeen: 20 }]);
	expect(restarted.settled("i1", stick, allowed, 30)).toBe(false);
	expect(restarted.seen(40).devices).toMatchObject([
		{ count: 1, present: true, firstSeen: 10, lastSeen: 40 },
	]);
	const booted = again(restarted, "next", 50);
	expect(booted.settled("i1", stick, allowed, 60)).toBe(true);
	expect(booted.seen(70)).toMatchObject({ since: 0, devices: [{ count: 2, firstSeen: 10 }] });
});

test("a clock that jumps leaves the first before the last, and nothing that cannot be read", () => {
	const time = fc.integer({ min: 0, max: 8.64e15 });
	fc.assert(
		fc.property(
			time,
			fc.array(fc.tuple(time, fc.constantFrom("come", "go", "restart")), { maxLength: 20 }),
			(start, steps) => {
				let history = new DeviceHistory("boot", start);
				let count = 0;
				let there = "";
				for (const [index, [now, what]] of steps.entries()) {
					if (what === "restart") history = again(history, "boot", now);
					else if (what === "go") history.left(there, now);
					else {
						there = `i${index}`;
						count += 1;
						history.settled(there, stick, allowed, now);
					}
					const { since, devices } = history.seen(now);
					expect(since).toBeLessThanOrEqual(now);
					expect(devices.map((item) => item.count)).toEqual(count === 0 ? [] : [count]);
					for (const { firstSeen, lastSeen } of devices) expect(firstSeen).toBeLessThanOrEqual(lastSeen);
					expect(() => again(history, "boot", now)).not.toThrow();
				}
			},
		),
		{ numRuns: 50 },
	);
});

test("who changes what it says with each arrival loses its own records, and no other's", () => {
	const history = new DeviceHistory("boot", 0);
	history.settled("k", keyboard, judged(keyboard, ["Allow", 3]), 1);
	const many = "08:06:50 03:01:01 ff:00:00";
	const most = historyLimits.weight / historyLimits.device;
	for (let index = 0; index < most; index++) {
		const liar = device(`00 | ${many}`, { port: `1-1.${index % 4}`, level: 2, serial: `S${index}` });
		history.settled(`l${index}`, liar, judged(liar, ["Block", 3]), 2 + index);
	}
	const { devices, lost } = history.seen(most + 10);
	expect(devices.length).toBeLessThan(historyLimits.weight / (historyLimits.device + 6) + 1);
	expect(devices.length + lost).toBe(most + 1);
	expect(devices.map((item) => item.device.port)).toContain("1-2");
	expect(devices.map((item) => item.device.serial)).toContain(`S${most - 1}`);
	expect(JSON.stringify(history.kept(0)).length).toBeLessThan(8 * 1024 * 1024);
});

test("of one root port goes what came the fewest times", () => {
	const history = new DeviceHistory("boot", 0);
	for (const time of [1, 2, 3]) history.settled(`often${time}`, stick, allowed, time);
	const most = historyLimits.weight / historyLimits.device;
	for (let index = 0; index < most; index++)
		history.settled(`i${index}`, { ...stick, serial: `S${index}` }, allowed, 10 + index);
	const { devices } = history.seen(1e6);
	expect(devices.find((item) => item.device.serial === "A")).toMatchObject({ count: 3 });
});

test("what is asked for since a time has what was there then or later", () => {
	const history = new DeviceHistory("boot", 0);
	history.settled("i1", stick, allowed, 10);
	history.left("i1", 20);
	history.settled("k", keyboard, judged(keyboard, ["Allow", 3]), 5);
	const seen = history.seen(1000);
	expect(seenSince(seen, 21).devices.map((item) => item.device.port)).toEqual(["1-2"]);
	expect(seenSince(seen, 20).devices).toHaveLength(2);
	expect(seenSince(seen, 20).since).toBe(20);
	expect(seenSince(seen, -5)).toBe(seen);
});

test("a device has the fields that others build on", () => {
	const history = new DeviceHistory("boot", 0);
	history.settled("i1", stick, refused, 1000);
	history.left("i1", 61_000);
	expect(seenDevicesJson(history.seen(70_000))).toEqual({
		since: "1970-01-01T00:00:00.000Z",
		lost: 0,
		devices: [
			{
				vendorId: "1234",
				productId: "5678",
				manufacturer: null,
				product: null,
				serial: "A",
				port: "1-1",
				level: 1,
				connectType: "hotplug",
				descriptorsHash: null,
				malformed: null,
				state: "refused",
				reason: "no permitted interface",
				functions: [
					{
						interface: 0,
						alternate: 0,
						configurations: [1],
						class: 8,
						subClass: 6,
						protocol: 0x50,
						className: "MASS-STORAGE",
						action: "Block",
						policy: "p",
						refused: true,
						reason: "refused by the policy",
					},
				],
				count: 1,
				firstSeen: "1970-01-01T00:00:01.000Z",
				lastSeen: "1970-01-01T00:01:01.000Z",
				present: false,
			},
		],
	});
});
