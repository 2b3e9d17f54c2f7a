import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDuration } from "../../../src/cli/duration.ts";
import { releaseUsb } from "../../../src/cli/release-usb.ts";
import { usb } from "../../../src/cli/usb/usb.ts";
import { lockAll, readDefaults } from "../../../src/enforcers/usb/apply/lock.ts";
import { presentDevices } from "../../../src/enforcers/usb/observe/present.ts";
import { UsbMemory } from "../../../src/enforcers/usb/run/memory.ts";
import { controlPath } from "../../../src/serve/control/control-protocol.ts";
import { ControlServer } from "../../../src/serve/control/control-server.ts";
import { formatListenAddress } from "../../../src/serve/http/address.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { devicePolicy, keyboard, stick } from "../../enforcers/usb/support/shapes.ts";
import { serve } from "../../serve/http/wire.ts";
import { Files, portward } from "../support/portward.ts";

const policies = {
	"a.yaml": devicePolicy("all", [{ class: "ALL", action: "Block" }]),
	"b.yaml": devicePolicy("hid", [
		{ class: "HID", action: "Allow" },
		{ class: "HID", subClass: 1, protocol: 1, level: 2, action: "Block" },
	]),
};

async function ask(...args: string[]) {
	using files = new Files(policies);
	files.config({ hostDefaultDevicePosture: "block" });
	return portward(
		"usb",
		"explain",
		"--policy-dir",
		files.path,
		"--config",
		join(files.path, ".config"),
		...args,
	);
}

describe("usb explain", () => {
	test("says which entry decides, and which ones it beats", async () => {
		const { code, out } = await ask("--class", "hid", "--json");
		expect(code).toBe(0);
		expect(JSON.parse(out)).toMatchObject({
			action: "Allow",
			policy: "hid",
			entry: 0,
			overridden: [{ policy: "all", entry: 0, action: "Block", reason: "carved", by: { policy: "hid" } }],
			undecided: [{ policy: "hid", entry: 1 }],
		});
	});

	test("takes ids, levels and ports as a policy does", async () => {
		const args = [
			"--class",
			"0x03",
			"--subclass",
			"1",
			"--protocol",
			"1",
			"--port",
			"1-4.2",
			"--vendor",
			"046D",
			"--product",
			"c31c",
		];
		const { out } = await ask(...args);
		expect(out).toStartWith("Block: hid matchDevice[1] (");
		expect(out).toContain("over Allow hid matchDevice[0]");
		expect((await ask(...args, "--level", "1")).out).toStartWith("Allow: hid matchDevice[0]");
	});

	test("the posture, and silence", async () => {
		using files = new Files({ "a.yaml": devicePolicy("hid", [{ class: "HID", action: "Allow" }]) });
		files.config({ hostDefaultDevicePosture: "block" });
		const common = [
			"--policy-dir",
			files.path,
			"--config",
			join(files.path, ".config"),
			"--class",
			"MASS-STORAGE",
		];
		expect((await portward("usb", "explain", ...common)).out).toContain(
			"Block: no entry matches, and an Allow",
		);
		using none = new Files({});
		none.config({});
		const silent = [
			"--policy-dir",
			none.path,
			"--config",
			join(none.path, ".config"),
			"--class",
			"8",
			"--json",
		];
		expect(JSON.parse((await portward("usb", "explain", ...silent)).out)).toMatchObject({
			action: "Audit",
			policy: null,
			entry: null,
		});
	});

	test.each([
		[["--class", "08h"], "write 0x8 for hexadecimal"],
		[["--class", "ALL"], "no class of a device"],
		[["--class", "HID", "--level", "0"], "from 1 to 255"],
		[["--class", "HID", "--vendor", "wxyz"], "hexadecimal digits"],
		[["--class", "HID", "--port", "usb1"], "is no port"],
		[["--class", "HID", "--connect-type", "wireless"], "hotplug, hardwired, not used, unknown"],
		[["1-4:1.0"], "is no port"],
		[["1-4", "--class", "HID"], "write a port such as 1-4, describe"],
		[[], "write a port such as 1-4, describe"],
	])("%p is wrong usage: %s", async (args, text) => {
		const { code, error } = await ask(...args);
		expect(code).toBe(64);
		expect(error).toContain(text);
	});
});

describe("usb list", () => {
	test("shows the daemon's devices as a tree, their strings escaped", async () => {
		const { server } = await serve();
		const address = formatListenAddress(server.address);
		const { code, out } = await portward("usb", "list", "--config", "/dev/null", "--status-address", address);
		server.stop();
		expect(code).toBe(0);
		expect(out).toBe(
			"    1-4.1  0781:5567 ACME Stick\\x1b[31m <b>\\u{202e}: partial\n" +
				"        configuration 1, interface 0: MASS-STORAGE 6/80, Allow by sticks, usb-storage\n" +
				"        configuration 1, interface 1: HID 1/1, Block by DefaultPosture, refused: no permitted function\n",
		);
	});
});

describe("usb allow", () => {
	test("asks the daemon over its socket", async () => {
		const directory = mkdtempSync(join(tmpdir(), "portward-allow."));
		const asked: unknown[] = [];
		const opened = await ControlServer.open({
			path: controlPath(directory),
			perform: async (request) => {
				asked.push(request);
				return request.verb === "usb-allow" && request.port === "1-4"
					? { ok: true, message: "fine" }
					: { ok: false, message: "there is no device" };
			},
		});
		if (!opened.ok) throw new Error(opened.error);
		const common = ["--config", "/dev/null", "--state-dir", directory];
		expect(await portward("usb", "allow", "1-4", "--for", "10m", ...common)).toMatchObject({
			code: 0,
			out: "fine\n",
		});
		expect(await portward("usb", "allow", "1-5", "--for", "2h", ...common)).toMatchObject({
			code: 1,
			error: "portward: there is no device\n",
		});
		await portward("usb", "allow", "1-4", "--end", ...common);
		await portward("usb", "block", "1-4.2", ...common);
		expect(asked).toEqual([
			{ verb: "usb-allow", port: "1-4", seconds: 600 },
			{ verb: "usb-allow", port: "1-5", seconds: 7200 },
			{ verb: "usb-hand", what: "end", port: "1-4" },
			{ verb: "usb-hand", what: "block", port: "1-4.2" },
		]);
		opened.server.stop();
		expect((await portward("usb", "allow", "1-4", "--for", "10m", ...common)).error).toContain(
			"is portward running",
		);
		rmSync(directory, { recursive: true });
	});

	test.each([
		[["usb1", "--for", "1m"], "write one port"],
		[["1-4"], "write how long"],
		[["1-4", "--for", "25h"], "at most a day"],
		[["1-4", "--for", "1h", "--permanent"], "write how long"],
		[["1-4", "--end", "--permanent"], "write how long"],
	])("%p is wrong usage: %s", async (args, text) => {
		const { code, error } = await portward("usb", "allow", ...args);
		expect(code).toBe(64);
		expect(error).toContain(text);
	});
});

test("usb without a verb, or with a wrong one, says which there are", async () => {
	expect((await portward("usb")).error).toContain("list, history, explain, generate-policy, allow");
	expect((await portward("usb", "lst")).error).toContain("did you mean list?");
	for (const verb of ["list", "explain", "generate-policy", "allow", "block"])
		expect(usb.help).toContain(`portward usb ${verb}`);
});

test("durations", () => {
	expect(["90s", "10m", "2h", "0m", "1d", "", "-1s", "1.5h"].map(parseDuration)).toEqual([
		90,
		600,
		7200,
		null,
		null,
		null,
		null,
		null,
	]);
});

describe("release usb", () => {
	let kernel: FakeKernel;
	let state: string;
	beforeEach(() => {
		kernel = new FakeKernel();
		state = mkdtempSync(join(tmpdir(), "portward-release."));
	});
	afterEach(() => {
		kernel.remove();
		rmSync(state, { recursive: true });
	});

	test("authorizes what was refused and puts the defaults back, once", async () => {
		const memory = new UsbMemory(state, "b");
		memory.update({ prior: readDefaults(kernel, null) });
		lockAll(kernel);
		kernel.plug("1-1", stick);
		expect(kernel.authorized("1-1")).toBe(false);
		expect(await releaseUsb(state, kernel.root, "b")).toEqual({
			ok: true,
			released: true,
			devices: 1,
			left: [],
		});
		expect(kernel.authorized("1-1")).toBe(true);
		expect(kernel.readText("bus/usb/devices/usb1/authorized_default")).toBe("1");
		expect(await releaseUsb(state, kernel.root, "b")).toEqual({
			ok: true,
			released: false,
			devices: 0,
			left: [],
		});
	});

	test("has nothing to do in another boot, or where nothing was locked", async () => {
		new UsbMemory(state, "b").update({ prior: readDefaults(kernel, null) });
		expect(await releaseUsb(state, kernel.root, "c")).toMatchObject({ released: false });
		using files = new Files({});
		// A table of its own: the daemon's lock is the machine's.
		files.config({ table: `release_${process.pid}` });
		const config = join(files.path, ".config");
		const { code, out, error } = await portward("release", "usb", "--config", config, "--state-dir", state);
		expect([code, out, error]).toEqual([0, "there was nothing to release\n", ""]);
	});
});

test("the devices of a machine are read from its sysfs", () => {
	const kernel = new FakeKernel();
	kernel.plug("1-1", keyboard);
	expect(presentDevices(kernel.root)?.map(({ device }) => device.port)).toEqual(["usb1", "1-1"]);
	kernel.remove();
	expect(presentDevices("/nonexistent")).toBeNull();
});
