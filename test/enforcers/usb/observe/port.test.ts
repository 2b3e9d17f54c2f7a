import { describe, expect, test } from "bun:test";
import { compareUsbPorts, parseUsbPort } from "../../../../src/enforcers/usb/observe/port.ts";

describe("USB port names", () => {
	test.each([
		["1-1", 1],
		["2-4.1", 2],
		["2-4.1.2", 3],
		["2-4.1.2.3", 4],
		["1-4:1.0", 1],
		["usb1", 0],
		["1-0:1.0", 0],
		["10-1.11", 2],
	])("%s is at level %d (V23)", (name, level) => {
		expect(parseUsbPort(name)?.level).toBe(level);
	});

	test.each(["4", ""])("%j is no USB name", (name) => {
		expect(parseUsbPort(name)).toBe(null);
	});

	test("name the bus, the chain and the interface", () => {
		expect(parseUsbPort("10-1.11:2.3")).toEqual({
			device: "10-1.11",
			bus: 10,
			chain: [1, 11],
			level: 2,
			interface: { configuration: 2, number: 3 },
		});
		expect(parseUsbPort("1-0:1.0")).toMatchObject({ device: "usb1", bus: 1, interface: { number: 0 } });
		expect(parseUsbPort("usb3")).toEqual({ device: "usb3", bus: 3, chain: [], level: 0, interface: null });
	});

	test.each(["4", "1-0", "1-4.0", "1-4.", "1-", "-1", "usb", "usb1-port1", "1-4:1", "../1-4", "1-4\n"])(
		"%j is none",
		(name) => {
			expect(parseUsbPort(name)).toBeNull();
		},
	);

	test("sort by number, a hub before its ports", () => {
		const sorted = ["usb1", "1-2", "1-2.1", "1-2.10", "1-10", "2-1", "10-1"];
		expect(sorted.toReversed().sort(compareUsbPorts)).toEqual(sorted);
	});
});
