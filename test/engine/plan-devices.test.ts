/** The adapter that an SSH session comes through, and what else a change of policies does to present devices. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/parse.ts";
import type { HostDevicePolicy } from "../../src/enforcers/usb/model.ts";
import { devicePart } from "../../src/enforcers/usb/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { planDevices } from "../../src/engine/plan-devices.ts";
import { FakeKernel } from "../enforcers/usb/support/fake-usb.ts";
import { devicePolicy } from "../vm/lab/portward.ts";

let kernel: FakeKernel;
beforeEach(() => {
	kernel = new FakeKernel();
	kernel.plug("1-4", { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] });
	kernel.plug("1-4.2", { configurations: [[{ triple: [2, 6, 0] }, { number: 1, triple: [10, 0, 0] }]] });
	const place = `devices/pci0/usb1/1-4/1-4.2/1-4.2:1.0/net/eth9`;
	mkdirSync(join(kernel.root, place), { recursive: true });
	mkdirSync(join(kernel.root, "class/net"), { recursive: true });
	symlinkSync(join(kernel.root, place), join(kernel.root, "class/net/eth9"));
});
afterEach(() => {
	kernel.remove();
	rmSync(config.stateDir, { recursive: true, force: true });
});

const config = {
	...defaultConfig(),
	stateDir: "/nonexistent/portward",
	hostDefaultDevicePosture: "block" as const,
};

function policies(...texts: string[]): HostDevicePolicy[] {
	return texts.flatMap((text) => devicePart.in(parsePolicyFile("p.yaml", text).documents));
}

const plan = (text: string) => planDevices(config, [], policies(text), kernel.root, ["eth9"]).session;

test("the adapter of the session is warned of where it, its function or its hub would be refused", () => {
	expect(plan(devicePolicy("cdc", "Block", "class: COMMUNICATION-CDC"))).toMatchObject({
		netdev: "eth9",
		port: "1-4.2",
		reason: "no permitted interface",
		cause: { policy: "cdc", action: "Block" },
	});
	expect(plan(devicePolicy("hubs", "Block", "class: HUB"))).toMatchObject({
		port: "1-4",
		cause: { policy: "hubs" },
	});
	expect(plan(devicePolicy("hid", "Allow", "class: HID"))).toMatchObject({
		port: "1-4.2",
		cause: { policy: "DefaultPosture" },
	});
	expect(plan(devicePolicy("sticks", "Block", "class: MASS-STORAGE"))).toBeNull();
	const none = planDevices(config, [], policies(devicePolicy("all", "Block", "class: ALL")), kernel.root, []);
	expect(none.session).toBeNull();
	expect(none.changes).toMatchObject([
		{ port: "1-4.2", before: "authorized", after: "refused", reason: "no permitted interface" },
	]);
});
