/** The verbs of `portward usb` that read sysfs, on a kernel's devices laid out in a folder. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Io } from "../../../src/cli/command.ts";
import { usbExplain } from "../../../src/cli/usb/usb-explain.ts";
import { usbGeneratePolicy } from "../../../src/cli/usb/usb-generate-policy.ts";
import { usbList } from "../../../src/cli/usb/usb-list.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { badUsb, devicePolicy, stick } from "../../enforcers/usb/support/shapes.ts";
import { CapturedIo, Files } from "../support/portward.ts";

let kernel: FakeKernel;
let files: Files;
let empty: string;
beforeEach(() => {
	kernel = new FakeKernel();
	kernel.plug("1-1", {
		vendor: 0x0781,
		product: 0x5567,
		...stick,
		strings: { product: "Stick\u001b[31m", serial: "4C53" },
	});
	kernel.plug("1-2", badUsb);
	files = new Files({
		"a.yaml": devicePolicy("no-keyboards", [{ class: "HID", action: "Block" }]),
	});
	files.config({ status: { address: `unix:${join(files.path, "nobody.sock")}` } });
	empty = mkdtempSync(join(tmpdir(), "portward-usb-none-"));
});
afterEach(() => {
	kernel.remove();
	files[Symbol.dispose]();
	rmSync(empty, { recursive: true });
});

type Verb = (args: readonly string[], io: Io, root?: string) => Promise<number>;

async function run(verb: Verb, args: readonly string[], root = kernel.root) {
	const io = new CapturedIo();
	const code = await verb(args, io, root);
	return { code, out: io.out_, error: io.error_ };
}
const settings = () => ["--config", join(files.path, ".config")];

describe("list, where no daemon answers,", () => {
	test("shows what the kernel shows, and says so", async () => {
		const { code, out, error } = await run(usbList, settings());
		expect(code).toBe(0);
		expect(error).toContain("this is what the kernel shows");
		expect(out).toContain("1-1  0781:5567 Stick");
		expect(out).toContain("(4C53): authorized");
		expect(out).toContain("interface 1: HID 1/1");
		expect(out).not.toContain("\u001b");
	});

	test("as JSON has a refused device's functions without drivers", async () => {
		kernel.write("bus/usb/devices/1-1/authorized", "0");
		const { out } = await run(usbList, [...settings(), "--json"]);
		const device = JSON.parse(out).devices.find(({ port }: { port: string }) => port === "1-1");
		expect(device).toMatchObject({ vendorId: "0781", state: "refused", level: 1 });
		expect(device.functions).toMatchObject([{ className: "MASS-STORAGE", refused: true, driver: null }]);
	});

	test("says that there is no device", async () => {
		mkdirSync(join(empty, "bus/usb/devices"), { recursive: true });
		expect((await run(usbList, settings(), empty)).out).toBe("there is no USB device\n");
	});

	test("fails where there is no USB at all", async () => {
		const { code, error } = await run(usbList, settings(), empty);
		expect(code).toBe(1);
		expect(error).toContain("the kernel shows no USB");
	});
});

describe("generate-policy", () => {
	test("allows what is plugged in, and is itself a valid policy", async () => {
		const { code, out } = await run(usbGeneratePolicy, []);
		expect(code).toBe(0);
		const [document] = parsePolicyFile("generated.yaml", out).documents;
		expect(document?.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
		expect(document?.kind).toBe("KubeArmorHostPolicy");
		expect(out).toContain("0781");
	});

	test("has what is refused as a comment, be it refused by the kernel or by the policies", async () => {
		const ask = (...args: string[]) =>
			run(usbGeneratePolicy, [...settings(), "--policy-dir", files.path, ...args]);
		kernel.write("bus/usb/devices/1-1/authorized", "0");
		const { out } = await ask();
		expect(out).toContain("    # 1-1: 0781:5567");
		expect(out).toMatch(/# 1-1: 0781:5567[^\n]*\n {4}# refused now:\n {4}# - class: MASS-STORAGE\n/);
		const [document] = parsePolicyFile("generated.yaml", out).documents;
		expect(document?.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
		// By name it is asked for, refused or not.
		const one = await ask("1-1");
		expect(one.out).toMatch(/\n {4}- class: MASS-STORAGE\n/);
		expect(one.out).toMatch(/name: usb-allow-0781-5567-[0-9a-f]{8}\n/);
		expect(one.out).not.toContain("1-2:");
		expect((await ask("1-9")).code).toBe(1);
	});

	test("fails where there is no USB", async () => {
		expect((await run(usbGeneratePolicy, [], empty)).code).toBe(1);
	});
});

describe("explain PORT", () => {
	const ask = (...args: string[]) => run(usbExplain, [...settings(), "--policy-dir", files.path, ...args]);

	test("judges every function of the device that is there", async () => {
		const { code, out } = await ask("1-2");
		expect(code).toBe(0);
		expect(out).toContain("partial");
		expect(out).toContain("interface 0: MASS-STORAGE 6/80: Audit, passed: no entry matches");
		expect(out).toContain("interface 1: HID 1/1: Block, refused: no-keyboards matchDevice[0]");
	});

	test("as JSON names policy and entry", async () => {
		const { out } = await ask("1-2", "--json");
		expect(JSON.parse(out)).toMatchObject({
			state: "partial",
			functions: [
				{ interface: 0, refused: false, policy: null },
				{ interface: 1, action: "Block", refused: true, policy: "no-keyboards", entry: 0 },
			],
		});
	});

	test("says what the kernel has, where that is something else", async () => {
		kernel.write("bus/usb/devices/1-2/authorized", "0");
		kernel.meddle("bus/usb/devices/usb1/authorized_default", "0");
		const { out } = await ask("1-2");
		expect(out).toStartWith("partial\nthe kernel has it refused now; ");
		const { out: json } = await ask("1-2", "--json");
		expect(JSON.parse(json)).toMatchObject({ state: "partial", authorized: false });
		expect((await ask("1-1")).out).not.toContain("the kernel has it");
	});

	test("says that a device is allowed for a time", async () => {
		const devices = [{ port: "1-2", allowedUntil: "2026-07-01T12:00:00.000Z" }];
		using _daemon = Bun.serve({
			unix: join(files.path, "nobody.sock"),
			fetch: () => Response.json({ devices }),
		});
		const { out } = await ask("1-2");
		expect(out).toStartWith(
			"authorized (allowed for a time, whatever the policies say)\nallowed until 2026-07-01T12:00:00.000Z\n",
		);
		expect(out).toContain("interface 1: HID 1/1: Block, passed: no-keyboards matchDevice[0]");
	});

	test("says that the kernel's own default refuses what no policy could refuse", async () => {
		kernel.write("bus/usb/devices/1-2/authorized", "0");
		kernel.meddle("bus/usb/devices/usb1/authorized_default", "0");
		const { out } = await run(usbExplain, [...settings(), "--policy-dir", empty, "1-2"]);
		expect(out).toStartWith("refused (refused by the kernel's own default (usbcore.authorized_default))\n");
		expect(out).not.toContain("the kernel has it");
	});

	test("fails for a port without a device", async () => {
		const { code, error } = await ask("1-9");
		expect(code).toBe(1);
		expect(error).toContain("there is no device on port 1-9");
	});
});
