import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootId, UsbMemory } from "../../../../src/enforcers/usb/run/memory.ts";
import { writeState } from "../../../../src/state/state-file.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-memory."));
});
afterEach(() => rmSync(directory, { recursive: true }));

const prior = { module: "-1", controllers: { "/devices/pci0/usb1": { devices: "1", interfaces: null } } };

const blank = { prior: null, present: null, open: [], foreign: {} };

test("what is kept is there in the next process of the same boot, and not in the next boot", () => {
	const memory = new UsbMemory(directory, "boot-1");
	expect(memory.value).toEqual({ ...blank, boot: "boot-1" });
	expect(memory.update({ prior })).toBeNull();
	expect(memory.update({ present: ["a.1.2"] })).toBeNull();
	expect(new UsbMemory(directory, "boot-1").value).toEqual({
		...blank,
		boot: "boot-1",
		prior,
		present: ["a.1.2"],
	});
	expect(new UsbMemory(directory, "boot-2").value).toEqual({ ...blank, boot: "boot-2" });
});

test("what has not changed is not written", () => {
	const memory = new UsbMemory(directory, "boot-1");
	memory.update({ prior });
	const file = join(directory, "usb.json");
	rmSync(file);
	expect(memory.update({ prior: structuredClone(prior) })).toBeNull();
	expect(() => readFileSync(file)).toThrow();
});

test("damage is told and forgotten", () => {
	writeFileSync(join(directory, "usb.json"), "{}");
	expect(new UsbMemory(directory, "boot-1").problem).toContain("damaged");
	writeState(join(directory, "usb.json"), { boot: "boot-1", prior: { module: 5 }, present: null });
	const memory = new UsbMemory(directory, "boot-1");
	expect(memory.problem).toContain("not what portward wrote");
	expect(memory.value.prior).toBeNull();
});

test("the version before stands in for a damaged one, and the damage is told", () => {
	const memory = new UsbMemory(directory, "boot-1");
	memory.update({ prior });
	memory.update({ present: ["a.1.2"] });
	writeFileSync(join(directory, "usb.json"), "torn");
	const next = new UsbMemory(directory, "boot-1");
	expect(next.value).toEqual({ ...blank, boot: "boot-1", prior });
	expect(next.problem).toContain("damaged");
});

test("the boot id is the kernel's", () => {
	expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
});
