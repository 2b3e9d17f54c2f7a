/** Other guards of the same ports: USBGuard, rules of udev, the administrator's own hand. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { releaseUsb, withheldDevices } from "../../../../src/cli/release-usb.ts";
import { heldReason } from "../../../../src/enforcers/usb/run/enforcer.ts";
import { UsbMemory } from "../../../../src/enforcers/usb/run/memory.ts";
import { badUsb, keyboard, stick } from "../support/shapes.ts";
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
/** Every device is looked at once more. */
const look = () => rig.enforcer.enforce([noHid]);

describe("what somebody else refused", () => {
	test("stays refused, is told once, and works again as soon as they say so", async () => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		rig.kernel.meddle(authorized("1-1"), "0");
		await rig.until(() => rig.state("1-1") === "refused", "the refusal to be seen");
		expect(decision("1-1")).toMatchObject({
			refusal: "somebody-else",
			functions: [{ withheld: "somebody-else", verdict: { action: "Audit" } }],
		});
		for (let round = 0; round < 3; round++) await look();
		await rig.restart();
		await rig.run(noHid);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(rig.state("1-1")).toBe("refused");
		expect(rig.log.filter((line) => line === "foreign 1-1")).toHaveLength(1);
		rig.kernel.meddle(authorized("1-1"), "1");
		await rig.until(() => rig.state("1-1") === "authorized", "it to be theirs to give back");
		await look();
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
	});

	test("stays refused when the policies change, and when they go", async () => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		rig.kernel.meddle(authorized("1-1"), "0");
		await rig.enforcer.enforce([noSticks]);
		expect(decision("1-1")?.refusal).toBe("no-interface-left");
		await rig.enforcer.enforce([]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(decision("1-1")?.refusal).toBe("somebody-else");
	});

	test("is ended by an administrator's permission, for good", async () => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		rig.kernel.meddle(authorized("1-1"), "0");
		await rig.until(() => rig.state("1-1") === "refused", "the refusal to be seen");
		expect(rig.enforcer.hand.allow("1-1", 60_000).ok).toBe(true);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick again");
		expect(rig.enforcer.hand.end("1-1").ok).toBe(true);
		await look();
		expect(rig.kernel.authorized("1-1")).toBe(true);
		// Refused anew while it is allowed for a time, it is not fought over either.
		expect(rig.enforcer.hand.allow("1-1", 60_000).ok).toBe(true);
		rig.kernel.meddle(authorized("1-1"), "0");
		await rig.until(() => rig.state("1-1") === "refused", "the refusal to be seen");
		await look();
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});

	test("is one interface, where it was one", async () => {
		await rig.run(entry("Block", { class: 14 }));
		rig.kernel.plug("1-1", badUsb);
		await rig.until(() => rig.kernel.bound("1-1").length === 2, "both functions");
		rig.kernel.meddle(authorized("1-1/1-1:1.1"), "0");
		await rig.enforcer.enforce([entry("Block", { class: 14 })]);
		await rig.enforcer.enforce([entry("Block", { class: 14 })]);
		expect(rig.kernel.bound("1-1")).toEqual(["1-1:1.0"]);
		expect(decision("1-1")?.functions.map(({ withheld }) => withheld)).toEqual([null, "somebody-else"]);
		expect(rig.log).toContain("foreign 1-1");
	});

	test("before portward began, on a bus that lets everything in, counts as that", async () => {
		rig.kernel.plug("1-1", stick);
		rig.kernel.plug("1-2", badUsb);
		rig.kernel.meddle(authorized("1-1"), "0");
		rig.kernel.meddle(authorized("1-2/1-2:1.1"), "0");
		await rig.run(entry("Block", { class: 14 }));
		expect([rig.state("1-1"), rig.state("1-2")]).toEqual(["refused", "partial"]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		expect(rig.kernel.bound("1-2")).toEqual(["1-2:1.0"]);
	});

	test("is not what the kernel's own default refused, which the policies decide about", async () => {
		rig.kernel.meddle("bus/usb/devices/usb1/authorized_default", "0");
		rig.kernel.plug("1-1", stick);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		await rig.run(entry("Audit", { class: 8 }));
		expect(decision("1-1")).toMatchObject({ refusal: "kernel-default", state: "refused" });
		await rig.enforcer.enforce([noHid]);
		expect(rig.kernel.bound("1-1")).toHaveLength(1);
	});

	test("in the middle of our authorizing it is not taken for the lock's doing", async () => {
		await rig.run(noHid);
		const { write } = rig.kernel;
		// Another guard that answers each event at once.
		rig.kernel.write = (path, value, check) => {
			const result = write.call(rig.kernel, path, value, check);
			if (path.endsWith("1-1/authorized") && value === "1") rig.kernel.meddle(authorized("1-1"), "0");
			return result;
		};
		rig.kernel.plug("1-1", stick);
		await rig.until(() => decision("1-1")?.refusal === "somebody-else", "the refusal to be seen");
		for (let round = 0; round < 3; round++) await look();
		expect(rig.kernel.writes.filter((line) => line === "1-1/authorized=1")).toHaveLength(1);
		expect(rig.kernel.authorized("1-1")).toBe(false);
	});

	test("stays when portward is released, be it a device or a function, and is foretold", async () => {
		await rig.run(noHid);
		for (const port of ["1-1", "1-2"]) rig.kernel.plug(port, stick);
		rig.kernel.plug("1-3", {
			configurations: [[{ triple: [8, 6, 0x50] }, { number: 1, triple: [14, 1, 0] }]],
		});
		for (const [port, functions] of [
			["1-1", 1],
			["1-2", 1],
			["1-3", 2],
		] as const)
			await rig.until(() => rig.kernel.bound(port).length === functions, port);
		rig.kernel.meddle(authorized("1-1"), "0");
		rig.kernel.meddle(authorized("1-3/1-3:1.1"), "0");
		await rig.enforcer.enforce([entry("Block", { class: 8, port: "1-2" })]);
		await rig.enforcer.stop();
		const asked = [rig.stateDirectory, rig.kernel.root, rig.boot, () => rig.kernel] as const;
		const foretold = (await withheldDevices(...asked)) ?? [];
		expect(foretold.map(({ present, foreign }) => [present.device.port, foreign])).toEqual([
			["1-1", true],
			["1-2", false],
			["1-3", true],
		]);
		expect(await releaseUsb(...asked)).toMatchObject({ ok: true, devices: 1, left: ["1-1", "1-3"] });
		expect([rig.kernel.authorized("1-1"), rig.kernel.authorized("1-2")]).toEqual([false, true]);
		expect(rig.kernel.bound("1-3")).toEqual(["1-3:1.0"]);
	});
});

test("a foreign permission of what the policies refuse is still undone", async () => {
	await rig.run(noSticks);
	rig.kernel.plug("1-1", stick);
	await rig.settled("1-1");
	rig.kernel.meddle(authorized("1-1"), "1");
	await rig.until(() => rig.log.includes("undone 1-1"), "it to be undone");
	await rig.enforcer.enforce([noSticks]);
	expect(rig.kernel.authorized("1-1")).toBe(false);
	// And what the policies then let in was never somebody else's to refuse.
	await rig.enforcer.enforce([noHid]);
	expect(rig.kernel.bound("1-1")).toHaveLength(1);
});

describe("the device's own add", () => {
	test("is told again once it is authorized, and not answered", async () => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		rig.kernel.plug("1-2", keyboard);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		await rig.settled("1-2");
		const settled = () => rig.log.filter((line) => line === "settled 1-1").length;
		const before = settled();
		rig.kernel.meddle("bus/usb/devices/1-1/uevent", "add 5d0c4a3e-6b1f-4f0e-9a52-706f72747761");
		await Bun.sleep(20);
		expect(settled()).toBe(before);
		// What others ask for is answered.
		rig.kernel.meddle("bus/usb/devices/1-1/uevent", "add");
		await rig.until(() => settled() > before, "the event of somebody else");
		expect(rig.kernel.told.filter((line) => line === "add 1-2")).toEqual([]);
		expect(rig.kernel.told.filter((line) => line === "add 1-1")).toHaveLength(3);
	});
});

describe("by hand", () => {
	test("a device is refused until it is allowed, also in the next process, and what follows on its port is not", async () => {
		await rig.run(noHid);
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		expect(rig.enforcer.hand.block("1-9")).toMatchObject({ ok: false });
		expect(rig.enforcer.hand.block("1-1").ok).toBe(true);
		await rig.until(() => !rig.kernel.authorized("1-1"), "it to be refused");
		await rig.restart();
		await rig.run(noHid);
		rig.kernel.meddle(authorized("1-1"), "1");
		await rig.until(() => !rig.kernel.authorized("1-1"), "it to be refused again");
		expect(decision("1-1")?.refusal).toBe("by-hand");
		expect(rig.enforcer.hand.unblock("1-1").ok).toBe(true);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick again");
		rig.enforcer.hand.block("1-1");
		rig.kernel.unplug("1-1");
		rig.kernel.plug("1-1", stick);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "another stick");
	});

	test("it is refused where nothing is enforced, too", async () => {
		await rig.run();
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		expect(rig.enforcer.hand.block("1-1").ok).toBe(true);
		await rig.until(() => !rig.kernel.authorized("1-1"), "it to be refused");
		expect(rig.enforcer.hand.allow("1-1", 60_000).ok).toBe(true);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
	});

	test("what is let go of works again where nothing is enforced, whoever refused it", async () => {
		await rig.run();
		for (const port of ["1-1", "1-2"]) rig.kernel.plug(port, stick);
		await rig.settled("1-1");
		await rig.settled("1-2");
		expect(rig.enforcer.hand.block("1-1").ok).toBe(true);
		rig.kernel.meddle(authorized("1-2"), "0");
		await rig.until(() => !rig.kernel.authorized("1-1"), "it to be refused");
		await rig.until(() => decision("1-2")?.refusal === "somebody-else", "the other to be seen");
		for (const port of ["1-1", "1-2"]) {
			expect(rig.enforcer.hand.unblock(port).ok).toBe(true);
			await rig.until(() => rig.state(port) === "authorized", "it to be let in");
			expect(rig.kernel.bound(port)).toHaveLength(1);
		}
	});
});

test("of a device that is gone nothing is kept, before everything is looked at again", async () => {
	const kept = () => new UsbMemory(rig.stateDirectory, rig.boot).value.open;
	await rig.run(noHid);
	await rig.until(() => kept().length > 0, "the root hub to be kept");
	const before = kept();
	rig.kernel.plug("1-1", stick);
	await rig.until(() => kept().length === before.length + 2, "the device and its interface to be kept");
	rig.kernel.unplug("1-1");
	await rig.until(() => kept().length === before.length, "them to be forgotten");
	expect(kept()).toEqual(before);
});

describe("what we refused and were to give back", () => {
	test("is not taken for somebody else's refusal when the daemon stops in the middle of it", async () => {
		rig.kernel.plug("1-1", keyboard);
		await rig.run(noHid);
		expect(rig.state("1-1")).toBe("refused");
		const release = Promise.withResolvers<void>();
		rig.kernel.authorizing = release.promise;
		const returned = rig.enforcer.enforce([]);
		await Bun.sleep(20);
		await rig.enforcer.stop();
		// What was under way ends within the process that stops.
		await returned;
		await rig.restart();
		rig.kernel.authorizing = Promise.resolve();
		await rig.run(noSticks);
		expect(rig.log).not.toContain("foreign 1-1");
		expect([rig.state("1-1"), rig.kernel.authorized("1-1")]).toEqual(["authorized", true]);
		release.resolve();
	});

	test("is not taken for that where it could not be written before the next start", async () => {
		rig.kernel.plug("1-1", keyboard);
		await rig.run(noHid);
		const { write } = rig.kernel;
		rig.kernel.write = (path, value, check) =>
			path.endsWith("1-1/authorized") && value === "1"
				? { ok: false, reason: "failed", error: "EPIPE" }
				: write.call(rig.kernel, path, value, check);
		await rig.enforcer.enforce([]);
		expect(rig.kernel.authorized("1-1")).toBe(false);
		await rig.restart();
		await rig.run();
		await rig.restart();
		rig.kernel.write = write;
		await rig.run(noSticks);
		expect([rig.state("1-1"), rig.kernel.authorized("1-1")]).toEqual(["authorized", true]);
	});
});

describe("a lock whose policies are lost", () => {
	test("holds, and everything says what is", async () => {
		await rig.run(noSticks);
		rig.kernel.plug("1-1", stick);
		await rig.settled("1-1");
		await rig.enforcer.stop();
		// All state is overwritten, and nothing usable is on the disk.
		await rig.forget();
		await rig.enforcer.start();
		await rig.enforcer.enforce([], false);
		rig.kernel.plug("1-2", keyboard);
		await rig.until(() => rig.state("1-2") === "refused", "the next device");
		expect(rig.enforcer.state).toMatchObject({ state: "unavailable", reason: heldReason, locked: true });
		for (const port of ["1-1", "1-2"]) {
			expect(rig.kernel.authorized(port)).toBe(false);
			expect(decision(port)).toMatchObject({
				state: "refused",
				refusal: "no-policies",
				functions: [{ withheld: "no-policies", verdict: { action: "Block", source: "lock" } }],
			});
		}
		// A permission for a time works, and ends.
		expect(rig.enforcer.hand.allow("1-1", 50).ok).toBe(true);
		await rig.until(() => rig.kernel.bound("1-1").length === 1, "the stick");
		await rig.until(() => !rig.kernel.authorized("1-1"), "the end of the permission");
		await rig.enforcer.enforce([noHid]);
		expect(rig.enforcer.state).toMatchObject({ state: "active", reason: "" });
	});
});
