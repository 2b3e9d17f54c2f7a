/** Whose refusals are whose, kept so that no moment is a bad one to end in. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OwnersKeeper } from "../../../../src/enforcers/usb/run/owners-keeper.ts";
import { stick } from "../support/shapes.ts";
import { entry, UsbRig } from "../support/usb-rig.ts";

const noHid = entry("Block", { class: 3 });
const noSticks = entry("Block", { class: 8 });

let rig: UsbRig;
beforeEach(() => {
	rig = new UsbRig();
});
afterEach(() => rig.stop());

const authorized = (path: string) => `bus/usb/devices/${path}/authorized`;
const decision = (name: string) => rig.enforcer.devices().find((device) => device.name === name)?.decision;

/** What the state directory holds at the moment when the kernel is told to refuse a device. */
function keptAtRefusal(path: string): () => string {
	const file = join(rig.stateDirectory, "usb.json");
	let kept = "";
	rig.kernel.beforeWrite = (written, value) => {
		if (written === authorized(path) && value === "0") kept = readFileSync(file, "utf8");
	};
	return () => kept;
}

describe("a daemon that ends in the moment of a refusal", () => {
	const cases = [
		["by a policy", () => rig.enforcer.enforce([noSticks]), null],
		["by hand", async () => void rig.enforcer.hand.block("1-1"), "by-hand"],
	] as const;
	test.each(cases)("%s leaves it to the next as its own", async (_, refuse, then) => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		// What is known of it is kept: it worked.
		await rig.restart();
		await rig.run(noHid);
		const kept = keptAtRefusal("1-1");
		await refuse();
		await rig.until(() => rig.state("1-1") === "refused", "the refusal");
		expect(kept()).not.toBe("");
		await rig.enforcer.stop();
		writeFileSync(join(rig.stateDirectory, "usb.json"), kept());
		await rig.restart();
		await rig.run(noHid);
		expect(decision("1-1")?.refusal ?? null).toBe(then);
		expect(rig.kernel.authorized("1-1")).toBe(then === null);
		expect(rig.log).not.toContain("foreign 1-1");
	});
});

describe("OwnersKeeper", () => {
	test("saves once for all who ask in one moment, and what waited is saved with it", async () => {
		let saves = 0;
		const keeper = new OwnersKeeper(() => saves++);
		keeper.soon();
		await Promise.all([keeper.now(), keeper.now(), keeper.now()]);
		expect(saves).toBe(1);
		keeper.stop();
		expect(saves).toBe(1);
	});

	test("saves at its stop what waits", () => {
		let saves = 0;
		const keeper = new OwnersKeeper(() => saves++);
		keeper.soon();
		keeper.soon();
		expect(saves).toBe(0);
		keeper.stop();
		expect(saves).toBe(1);
	});
});
