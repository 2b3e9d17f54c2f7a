import { expect, test } from "bun:test";
import { seenDevicesJson } from "../../../../src/enforcers/usb/history/seen-device.ts";
import { usbReport } from "../../../../src/enforcers/usb/report/usb-report.ts";
import { sampleDevice, sampleHistory, sampleState, sampleUsb } from "../../../report/sample.ts";

const { confinement } = sampleState();
const report = (over: Partial<typeof sampleUsb> = {}) => usbReport({ ...sampleUsb, ...over });

test("device policies are in force while it is active, and nobody counts packets for them", () => {
	const unavailable = { ...sampleUsb.state, state: "unavailable", reason: "no sysfs" } as const;
	const policy = { name: "sticks", kind: "KubeArmorHostPolicy" };
	expect(report().policy(policy)).toEqual({ active: true, traffic: null, rules: [] });
	expect(report({ state: unavailable }).policy(policy)).toEqual({ active: false, traffic: null, rules: [] });
	expect(report().policy({ ...policy, kind: "KubeArmorNetworkPolicy" })).toBe(null);
	expect(report({ state: unavailable }).obstacle).toBe("");
	expect(report({ state: unavailable, entries: 1 }).obstacle).toContain("no sysfs");
});

test("devices that are let in for a time are told at the top, all of them on a page of their own", async () => {
	const devices = [sampleDevice, { ...sampleDevice, port: "1-2", allowedUntil: "2026-01-02T03:04:05.000Z" }];
	const { sums, routes, sections } = report({ devices });
	expect(sums).toEqual({ usbAllowed: [{ port: "1-2", until: "2026-01-02T03:04:05.000Z" }] });
	const [route] = routes;
	expect(route?.path).toBe("/v1/usb/devices");
	expect(JSON.parse(String((await route?.reply(""))?.body))).toEqual(JSON.parse(JSON.stringify({ devices })));
	expect(sections().map((section) => section.text)[0]).toContain("1-4.1");
});

test("the devices that came have an answer of their own, which obeys no terminal", async () => {
	const reply = await report()
		.routes.find(({ path }) => path === "/v1/usb/history")
		?.reply("");
	expect(reply?.body).not.toMatch(/[\u001b\u202e]/u);
	expect(JSON.parse(String(reply?.body))).toEqual(JSON.parse(JSON.stringify(seenDevicesJson(sampleHistory))));
});

test("its card says what becomes of new devices", () => {
	const host = { confinement, policies: 0 };
	expect(report().cards(host)[0]?.text).toContain("refused until judged");
	const disabled = { ...sampleUsb.state, state: "disabled", reason: "not asked for" } as const;
	const [card] = report({ state: disabled }).cards(host);
	expect(card?.text).toContain("not asked for");
	expect(card?.text).not.toContain("New devices");
});
