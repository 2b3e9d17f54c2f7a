import { expect, test } from "bun:test";
import { usbSection } from "../../../../src/enforcers/usb/report/device-page.ts";
import { sampleDevice } from "../../../report/sample.ts";

test("a device's own text is shown and does nothing", () => {
	const hostile = `"><script>alert(1)</script>\u202e\u001b[31m`;
	const words = { manufacturer: hostile, product: hostile, serial: hostile };
	const more = { odd: [hostile], reason: hostile, error: hostile, allowedUntil: hostile };
	const [item] = sampleDevice.functions;
	if (item === undefined) throw new Error("the sample has functions");
	const functions = [{ ...item, policy: hostile, driver: hostile, reason: hostile, className: hostile }];
	const root = { ...sampleDevice, port: "usb1", level: 0, ...words };
	const { text } = usbSection([root, sampleDevice, { ...sampleDevice, ...words, ...more, functions }]);
	expect(text).toContain("1-4.1");
	expect(text).toContain("&lt;b&gt;");
	expect(text.match(/&lt;script&gt;/gu)?.length).toBe(13);
	expect(text).not.toMatch(/<b>|<script>|\u001b|\u202e/u);
});

test("devices hang on their hubs, in the order of the ports", () => {
	const at = (port: string, level: number) => ({ ...sampleDevice, port, level, functions: [] });
	const ports = ["usb1", "1-10", "1-4.2.1", "1-4", "1-4.2", "2-1.3", "1-4.10", "1-2"];
	const { text } = usbSection(ports.map((port) => at(port, port.startsWith("usb") ? 0 : 1)));
	const [tree = ""] = text.match(/<ul class="tree">.*<\/ul>/su) ?? [];
	const shape = tree
		.replaceAll(/<div class="device"><strong>([^<]*)<\/strong>.*?<\/div>/gsu, "$1")
		.replaceAll(/<span class="hub">(usb\d) .*?<\/span><\/span>/gu, "$1")
		.replaceAll(/ class="tree"|\n/gu, "");
	expect(shape).toBe(
		"<ul><li>usb1<ul><li>1-2</li><li>1-4<ul><li>1-4.2<ul><li>1-4.2.1</li></ul></li><li>1-4.10</li></ul></li><li>1-10</li></ul></li><li>usb2<ul><li>2-1.3</li></ul></li></ul>",
	);
});

test("root hubs alone are no section, and of many devices the rest is counted", () => {
	expect(usbSection([{ ...sampleDevice, level: 0 }]).text).toBe("");
	const { text } = usbSection(Array.from({ length: 207 }, () => sampleDevice));
	expect(text.split('class="device"')).toHaveLength(201);
	expect(text).toContain("7 more in /v1/usb/devices");
});
