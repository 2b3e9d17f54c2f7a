import { expect, test } from "bun:test";
import { describeWithheld } from "../../src/cli/release-usb.ts";
import type { PresentDevice } from "../../src/enforcers/usb/observe/devices.ts";
import { device } from "../enforcers/usb/compile/sample.ts";

test("a device is named by its port, ids, words and classes", () => {
	const present = (words: object): PresentDevice => ({
		instance: "i",
		bus: 1,
		number: 2,
		authorized: false,
		interfaces: [],
		opens: { devices: false, interfaces: false },
		device: { ...device("00 | 08:06:50"), ...words },
		sysPath: "/devices/usb1/1-1",
	});
	const named = describeWithheld(present({ manufacturer: "Maker", product: "Stick", serial: "S1" }));
	expect(named).toMatch(/^\S+ [0-9a-f]{4}:[0-9a-f]{4} Maker Stick \(S1\): MASS-STORAGE$/u);
	const bare = describeWithheld(present({ manufacturer: null, product: "", serial: null }));
	expect(bare).toMatch(/^\S+ [0-9a-f]{4}:[0-9a-f]{4}: MASS-STORAGE$/u);
});
