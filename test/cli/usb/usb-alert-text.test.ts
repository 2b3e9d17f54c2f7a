import { expect, test } from "bun:test";
import { usbDeviceText } from "../../../src/cli/usb/usb-alert-text.ts";

test("an alert about a device names port, ids, name, serial number and place; another one nothing", () => {
	const device = { Port: "1-4", VendorID: "0781", ProductID: "5567" };
	const names = { Manufacturer: "ACME", Product: "Stick", Serial: "S1" };
	const place = { Configuration: "1,2", Interface: "0", Altsetting: "1" };
	expect(usbDeviceText(device)).toBe("port 1-4 0781:5567 ");
	expect(usbDeviceText({ ...device, ...names, ...place })).toBe(
		"port 1-4 0781:5567 ACME Stick (S1) configuration 1,2, interface 0, altsetting 1 ",
	);
	expect(usbDeviceText({ Port: "1-4" })).toBe("");
	expect(usbDeviceText({})).toBe("");
});
