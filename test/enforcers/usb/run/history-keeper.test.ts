import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { readSeenDevices, UsbHistoryKeeper } from "../../../../src/enforcers/usb/run/history-keeper.ts";
import { until } from "../../../system/support/isolated.ts";
import { device, entries } from "../compile/sample.ts";
import { seen } from "../support/shapes.ts";

let directory: string;
let warnings: string[];
const keepers: UsbHistoryKeeper[] = [];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-usb-history."));
	warnings = [];
});
afterEach(() => {
	rmSync(directory, { recursive: true });
	for (const keeper of keepers.splice(0)) keeper.stop();
});

const file = () => join(directory, "usb-history.json");
const ruleset = new DeviceRuleset(entries(["Block", 8]), "block");

function keeper(stateDirectory = directory, saveMs = 60_000): UsbHistoryKeeper {
	const made = new UsbHistoryKeeper({
		stateDirectory,
		boot: "boot",
		warn: (message) => warnings.push(message),
		saveMs,
		soonMs: 5,
	});
	keepers.push(made);
	return made;
}

/** A stick with this serial number comes. */
function come(to: UsbHistoryKeeper, serial: string): ReturnType<typeof seen> {
	const present = { ...seen(device("00 | 08:06:50", { serial })), instance: serial };
	to.settled(present, decideDevice(ruleset, present.device, { mode: "apply", consoleKeyboard: false }));
	return present;
}

/** The serial numbers that are on the disk. */
function kept(): readonly (string | null)[] {
	const read = readSeenDevices(directory);
	return read.ok ? read.seen.devices.map((item) => item.device.serial).sort() : [];
}

test("what came is saved soon, and what comes next within the same minute only when the keeper stops", async () => {
	const first = keeper();
	const present = come(first, "A");
	await until(() => kept().length === 1, "the first save");
	come(first, "B");
	first.left(present);
	await Bun.sleep(50);
	expect(kept()).toEqual(["A"]);
	first.stop();
	expect(kept()).toEqual(["A", "B"]);
	const second = keeper();
	come(second, "B");
	const devices = second.seen().devices.map((item) => [item.device.serial, item.count, item.present]);
	expect(devices.sort()).toEqual([
		["A", 1, false],
		["B", 1, true],
	]);
	expect(warnings).toEqual([]);
});

test("nothing is written where nothing comes", () => {
	keeper().stop();
	expect(existsSync(file())).toBe(false);
	expect(readSeenDevices(directory)).toMatchObject({
		ok: false,
		message: expect.stringContaining("has not run yet"),
	});
});

test("a damaged file costs what came since the save before it, and is told", async () => {
	const first = keeper(directory, 0);
	come(first, "A");
	await until(() => kept().length === 1, "the first save");
	come(first, "B");
	await until(() => kept().length === 2, "the second save");
	first.stop();
	writeFileSync(file(), readFileSync(file(), "utf8").slice(0, -20));
	expect(
		keeper()
			.seen()
			.devices.map((item) => item.device.serial),
	).toEqual(["A"]);
	expect(warnings).toEqual([expect.stringContaining("the newest")]);
	expect(readSeenDevices(directory)).toMatchObject({ ok: true, problem: expect.stringContaining("damaged") });
});

test("where nothing can be read watching begins anew, and what is not ours is not taken", () => {
	writeFileSync(file(), "{}");
	const fresh = keeper();
	expect(fresh.seen().devices).toEqual([]);
	expect(warnings).toEqual([expect.stringContaining("begins anew")]);
	expect(readSeenDevices(directory).ok).toBe(false);
	come(fresh, "A");
	fresh.stop();
	expect(kept()).toEqual(["A"]);
});

test("where nothing can be written it is told once, and tried again", async () => {
	const place = join(directory, "state");
	const blocked = keeper(place, 0);
	writeFileSync(place, "no directory");
	come(blocked, "A");
	await until(() => warnings.length > 0, "the warning");
	come(blocked, "B");
	await Bun.sleep(50);
	expect(warnings).toEqual([expect.stringContaining("could not be saved")]);
	rmSync(place);
	mkdirSync(place);
	await until(() => readSeenDevices(place).ok, "it is saved at last");
});
