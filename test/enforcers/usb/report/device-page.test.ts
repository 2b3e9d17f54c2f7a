import { expect, test } from "bun:test";
import { usbSection } from "../../../../src/enforcers/usb/report/device-page.ts";
import { sampleDevice } from "../../../report/sample.ts";

test("a device's own text is shown and does nothing", () => {
	const { text } = usbSection([sampleDevice]);
	expect(text).toContain("1-4.1");
	expect(text).toContain("&lt;b&gt;");
	expect(text).not.toContain("<b>");
	expect(text).not.toContain("\u001b");
	expect(text).not.toContain("\u202e");
});

test("root hubs alone are no section, and of many devices the rest is counted", () => {
	expect(usbSection([{ ...sampleDevice, level: 0 }]).text).toBe("");
	const { text } = usbSection(Array.from({ length: 207 }, () => sampleDevice));
	expect(text.split('data-label="Port"')).toHaveLength(201);
	expect(text).toContain("7 more in /v1/usb/devices");
});
