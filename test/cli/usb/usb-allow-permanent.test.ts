/** Permissions for good, and devices that are only described: commands against a fake kernel and real files. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usbAllow } from "../../../src/cli/usb/usb-allow.ts";
import { usbBlock } from "../../../src/cli/usb/usb-block.ts";
import { usbExplain } from "../../../src/cli/usb/usb-explain.ts";
import { usbList } from "../../../src/cli/usb/usb-list.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { keyboard } from "../../enforcers/usb/support/shapes.ts";
import field from "../../fixtures/usb-devices.json";
import { devicePolicy } from "../../vm/lab/portward.ts";

/** A key that could sign: the RFC 8032 test vector 1. */
const key = `ed25519:${Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex").toString("base64")}`;

let kernel: FakeKernel;
let directory: string;
beforeEach(() => {
	kernel = new FakeKernel();
	directory = mkdtempSync(join(tmpdir(), "portward-permanent."));
	mkdirSync(join(directory, "policies"));
	kernel.plug("1-1", {
		vendor: 0x781,
		product: 0x5567,
		strings: { serial: "S1" },
		configurations: [[{ triple: [8, 6, 80] }]],
	});
	kernel.plug("1-2", { vendor: 0x46d, product: 0xc31c, ...keyboard });
	settings("");
});
afterEach(() => {
	kernel.remove();
	rmSync(directory, { recursive: true });
});

const settings = (more: string) =>
	writeFileSync(
		join(directory, "config.yaml"),
		`policyDir: ${directory}/policies\nstateDir: ${directory}/state\n${more}`,
	);
const policy = (name: string, text: string) => writeFileSync(join(directory, "policies", name), text);
const files = () => readdirSync(join(directory, "policies")).sort();

async function run(
	command: (args: readonly string[], io: never, root: string) => Promise<number>,
	...args: string[]
) {
	const io = { out: "", error: "" };
	const code = await command(
		[...args, "--config", join(directory, "config.yaml")],
		{
			out: (text: string) => {
				io.out += text;
			},
			error: (text: string) => {
				io.error += text;
			},
			signal: new AbortController().signal,
		} as never,
		kernel.root,
	);
	return { code, ...io };
}

describe("usb allow --permanent", () => {
	const allow = (port: string) => run(usbAllow, port, "--permanent");

	test("writes a policy that names the device, with which it is let in", async () => {
		policy("sticks.yaml", devicePolicy("no-sticks", "Block", "class: MASS-STORAGE"));
		const { code, out } = await allow("1-1");
		expect([code, out]).toEqual([0, expect.stringContaining("allows the device on port 1-1 for good")]);
		const [written = ""] = files().filter((name) => name !== "sticks.yaml");
		expect(written).toMatch(/^usb-allow-0781-5567-[0-9a-f]{8}\.yaml$/);
		expect(readFileSync(join(directory, "policies", written), "utf8")).toContain('serial: "S1"');
		const explained = await run(usbExplain, "1-1");
		expect(explained.out).toStartWith("authorized\n");
		// The same device again is the same file.
		expect((await allow("1-1")).code).toBe(0);
		expect(files()).toHaveLength(2);
	});

	test("names a device without a serial number by its descriptors", async () => {
		policy("hid.yaml", devicePolicy("no-hid", "Block", "class: HID"));
		expect((await allow("1-2")).code).toBe(0);
		const [written = ""] = files().filter((name) => name !== "hid.yaml");
		expect(readFileSync(join(directory, "policies", written), "utf8")).toMatch(
			/descriptorsHash: "[0-9a-f]{64}"/,
		);
	});

	test.each([
		["", "by-port", "{ class: MASS-STORAGE, port: 1-1 }", "would be refused all the same (by-port"],
		[
			`policySignature: required\ntrustedKeys: ["${key}"]\n`,
			"sticks",
			"class: MASS-STORAGE",
			"must be signed",
		],
		["confirm: required\n", "sticks", "class: MASS-STORAGE", "must be confirmed"],
		["hostDefaultDevicePosture: block\n", "sticks", "class: MASS-STORAGE", "the first Allow entry"],
	])("writes nothing where it would not do: %p %s", async (more, name, entry, message) => {
		settings(more);
		policy("p.yaml", devicePolicy(name, "Block", entry));
		const { code, error } = await allow("1-1");
		expect(error).toContain(message);
		expect(code).toBe(1);
		expect(files()).toEqual(["p.yaml"]);
	});

	test("writes nothing where another file has a policy of that name", async () => {
		policy("sticks.yaml", devicePolicy("no-sticks", "Block", "class: MASS-STORAGE"));
		expect((await allow("1-1")).code).toBe(0);
		const [written = ""] = files().filter((name) => name !== "sticks.yaml");
		renameSync(join(directory, "policies", written), join(directory, "policies", "mine.yaml"));
		const { code, error } = await allow("1-1");
		expect([code, error]).toEqual([
			1,
			expect.stringContaining("mine.yaml has a policy of this name already"),
		]);
		expect(files()).toEqual(["mine.yaml", "sticks.yaml"]);
	});

	test("says that there is no device", async () => {
		expect(await allow("1-9")).toMatchObject({
			code: 1,
			error: expect.stringContaining("no device on port 1-9"),
		});
	});
});

test("with broken settings the daemon is still asked, and no file is written", async () => {
	settings("typo: x\n");
	const asked = [
		await run(usbBlock, "1-1"),
		await run(usbAllow, "1-1", "--for", "10m"),
		await run(usbAllow, "1-1", "--end"),
	];
	for (const { code, error } of asked) {
		expect(code).toBe(1);
		expect(error).toContain("config.yaml:3:1");
		expect(error).toContain(`Nobody listens at ${directory}/state/`);
	}
	const { code, error } = await run(usbAllow, "1-1", "--permanent");
	expect(code).toBe(1);
	expect(error).not.toContain("Nobody listens");
	expect(files()).toEqual([]);
});

describe("usb explain --descriptors", () => {
	test.each(["as bytes", "in hexadecimal"])("judges a device that is only a file, %s", async (form) => {
		const phone = field.find(({ name }) => name === "phone with four configurations")?.descriptors ?? "";
		const file = join(directory, "phone");
		writeFileSync(file, form === "as bytes" ? Buffer.from(phone, "hex") : phone.replace(/../g, "$& "));
		settings("hostDefaultDevicePosture: block\n");
		policy("image.yaml", devicePolicy("image", "Allow", "class: IMAGE"));
		const { code, out } = await run(usbExplain, "--descriptors", file, "--serial", "X");
		expect(code).toBe(0);
		expect(out).toStartWith("partial\n");
		expect(out).toContain(
			"configurations 1, 3, 4, interface 0: IMAGE 1/1: Allow, passed: image matchDevice[0]",
		);
		expect(out).toContain("configuration 2, interface 2: HID 0/0: Block, refused");
		const { out: json } = await run(usbExplain, "--descriptors", file, "--json");
		expect(JSON.parse(json)).toMatchObject({ state: "partial", malformed: null, odd: [] });
	});

	test("says what is odd, and what is no file", async () => {
		const file = join(directory, "cut");
		const cut =
			field.find(({ name }) => name === "keyboard whose configuration is cut off")?.descriptors ?? "";
		writeFileSync(file, cut);
		const { out } = await run(usbExplain, "--descriptors", file);
		expect(out).toContain("configuration 1 says that it is 41 bytes longer than it is");
		expect((await run(usbExplain, "--descriptors", directory)).error).toContain("is no file");
		expect((await run(usbExplain, "--descriptors", join(directory, "none"))).error).toContain(
			"cannot be read",
		);
	});
});

test("usb list --blocked shows only that of which something is refused", async () => {
	kernel.write("bus/usb/devices/1-1/authorized", "0");
	const { out } = await run(usbList, "--blocked");
	expect(out).toContain("1-1  0781:5567");
	expect(out).not.toContain("1-2");
	kernel.write("bus/usb/devices/1-1/authorized", "1");
	expect((await run(usbList, "--blocked")).out).toBe("no USB device is refused, nor a function of one\n");
});
