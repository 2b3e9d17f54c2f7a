/** Staged device policies: what they would refuse is told once, counted, and never refused. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { badUsb, keyboard, stick } from "../support/shapes.ts";
import { entry, UsbRig } from "../support/usb-rig.ts";

const [hid, massStorage] = [{ class: 3 }, { class: 8 }];

let rig: UsbRig;
beforeEach(() => {
	rig = new UsbRig();
});
afterEach(() => rig.stop());

const told = () => rig.log.filter((line) => line.startsWith("staged "));

test("a staged Block refuses nothing, is told once for each function, and counted", async () => {
	await rig.enforcer.start();
	const block = entry("Block", massStorage, "sticks");
	const staged = { entries: [block], policies: ["sticks"] };
	await rig.enforcer.enforce([], true, staged);
	rig.kernel.plug("1-1", stick);
	rig.kernel.plug("1-2", keyboard);
	await rig.settled("1-1");
	await rig.settled("1-2");
	expect(rig.state("1-1")).toBe("authorized");
	expect(rig.enforcer.state.locked).toBe(false);
	expect(rig.kernel.writes.filter((write) => !write.includes("uevent"))).toEqual([]);
	expect(told()).toEqual(["staged 1-1: sticks"]);
	const count = () => rig.enforcer.staged.counts.get("sticks");
	expect(count()).toMatchObject({ wouldBlock: 1, sinceGeneration: 1 });
	const { evaluated = 0 } = count() ?? {};
	expect(evaluated).toBeGreaterThan(1);
	// The same again says nothing new, whatever else comes into force.
	await rig.enforcer.enforce([entry("Audit", hid)], true, staged);
	expect(told()).toHaveLength(1);
	expect(count()).toMatchObject({ evaluated, wouldBlock: 1, sinceGeneration: 1 });
	// What is in force refuses it already.
	await rig.enforcer.enforce([entry("Block", massStorage, "own")], true, {
		entries: [{ ...block, policy: "other" }],
		policies: ["other"],
	});
	await rig.until(() => rig.state("1-1") === "refused", "the stick to be refused");
	expect(told()).toHaveLength(1);
	expect(count()).toBeUndefined();
	expect(rig.enforcer.staged.counts.get("other")).toMatchObject({ wouldBlock: 0, sinceGeneration: 3 });
});

test("a staged Allow is blamed for what the posture would refuse, and the staged posture for the rest", async () => {
	await rig.enforcer.start();
	await rig.enforcer.enforce([], true, {
		entries: [entry("Allow", hid, "keyboards")],
		policies: ["keyboards"],
	});
	rig.kernel.plug("1-1", badUsb);
	await rig.settled("1-1");
	expect(rig.state("1-1")).toBe("authorized");
	expect(told()).toEqual(["staged 1-1: keyboards"]);
	rig.config = { ...rig.config, hostDefaultDevicePosture: "audit", stagedDevicePosture: "block" };
	await rig.enforcer.enforce([entry("Allow", hid, "keyboards")]);
	await rig.until(() => told().length === 2, "the staged posture to be told of");
	expect(told().at(-1)).toBe("staged 1-1: ");
	expect(rig.state("1-1")).toBe("authorized");
	rig.config = { ...rig.config, stagedDevicePosture: "none" };
	await rig.enforcer.enforce([entry("Allow", hid, "keyboards")]);
	expect(told()).toHaveLength(2);
});

test("what a hand lets in is not judged", async () => {
	await rig.enforcer.start();
	await rig.enforcer.enforce([entry("Block", massStorage)], true);
	rig.kernel.plug("1-1", stick);
	await rig.settled("1-1");
	expect(rig.enforcer.hand.allow("1-1", 600_000)).toMatchObject({ ok: true });
	await rig.until(() => rig.state("1-1") === "authorized", "the permission");
	await rig.enforcer.enforce([], true, { entries: [entry("Block", massStorage, "s")], policies: ["s"] });
	expect(told()).toEqual([]);
});
