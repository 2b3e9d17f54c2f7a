import { describe, expect, test } from "bun:test";
import type { JudgedFunction } from "../../../../src/enforcers/usb/compile/decide.ts";
import { type DeviceAlertInput, deviceAlert } from "../../../../src/enforcers/usb/report/device-alert.ts";
import { device } from "../compile/sample.ts";
import { anything, seen } from "../support/shapes.ts";

const host = { clusterName: "c", hostName: "h", nodeId: "n" };
const present = seen({
	...device("00", { port: "1-4", serial: "S\x1b1" }),
	descriptors: {
		...device("00").descriptors,
		vendorId: 0x781,
		productId: 0x5567,
	},
});
const place = { file: "f", line: 1, column: 1 };
const match = { ...anything, class: 8 };
const rule = {
	policy: "sticks",
	entry: {
		index: 2,
		place,
		action: "Block" as const,
		severity: 7,
		tags: ["a", "b"],
		message: "no sticks",
		match,
	},
};
const judged: JudgedFunction = {
	configuration: 1,
	interface: 0,
	alternate: 0,
	configurations: [1],
	triple: { class: 8, subClass: 6, protocol: 80 },
	verdict: { action: "Block", source: "entry", entry: rule, overridden: [] },
	withheld: "verdict",
};

function alert(over: Partial<DeviceAlertInput> = {}) {
	const decision = { exemption: null, malformed: null, odd: [] };
	const input = { time: 1_700_000_000_123, present, judged, decision, allowedUntil: null, removed: false };
	return deviceAlert({ ...input, ...over }, host);
}

describe("the alert about a function", () => {
	test("is KubeArmor's device alert", () => {
		expect(alert()).toEqual({
			Timestamp: 1_700_000_000,
			UpdatedTime: "2023-11-14T22:13:20.123000Z",
			ClusterName: "c",
			HostName: "h",
			NodeID: "n",
			PolicyName: "sticks",
			Severity: "7",
			Tags: "a,b",
			ATags: ["a", "b"],
			Message: "no sticks",
			Type: "MatchedHostPolicy",
			Operation: "Device",
			Resource: "USB MASS-STORAGE",
			Data: "Class=8 SubClass=6 Protocol=80 Level=1 SysPath=/devices/pci0/usb1/1-4",
			EventData: {
				Class: "8",
				SubClass: "6",
				Protocol: "80",
				Level: "1",
				SysPath: "/devices/pci0/usb1/1-4",
				VendorID: "0781",
				ProductID: "5567",
				Port: "1-4",
				Serial: "S\\x1b1",
				Interface: "0",
				Configuration: "1",
				Altsetting: "0",
				Reason: "refused by the policy",
			},
			Enforcer: "USBDeviceHandler",
			Action: "Block",
			Result: "Permission denied",
		});
	});

	test("of the posture, of nothing, of a device that is gone", () => {
		const by = (source: "posture" | "unmatched") => ({
			...judged,
			verdict: { ...judged.verdict, source, entry: null },
		});
		expect(alert({ judged: by("posture") })).toMatchObject({
			PolicyName: "DefaultPosture",
			Type: "MatchedHostPolicy",
		});
		expect(alert({ judged: by("unmatched") })).toMatchObject({
			PolicyName: "",
			Type: "HostLog",
			Severity: "1",
		});
		expect(alert({ removed: true })).toMatchObject({ Type: "HostLog", Result: "Removed" });
	});

	test("says why a Block did not take effect, or why an Allow did not", () => {
		const spared = { ...judged, withheld: null };
		for (const [exemption, text] of [
			["root-hub", "a root hub is never refused"],
			["present-audit", "presentDevices is audit"],
			["console-keyboard", "protectConsoleKeyboard"],
		] as const) {
			const { Message, Result } = alert({
				judged: spared,
				decision: { exemption, malformed: null, odd: [] },
			});
			expect([Message, Result]).toEqual([expect.stringContaining(text), "Passed"]);
		}
		const allowed = { ...judged, verdict: { ...judged.verdict, action: "Allow" as const } };
		const decision = { exemption: null, malformed: "cut", odd: [] };
		for (const [withheld, said] of [
			["device", "by the device's own class; malformed descriptors: cut"],
			["malformed", "no sticks; malformed descriptors: cut"],
			["configuration", "of which nothing useful is left"],
			["altsetting", "another altsetting"],
			["somebody-else", "refused by somebody else"],
			["by-hand", "refused by hand"],
			["no-policies", "locked, no usable policies: new devices stay refused"],
			["kernel-default", "authorized_default"],
		] as const) {
			const { Message, Result, EventData } = alert({ judged: { ...allowed, withheld }, decision });
			expect([Message, Result]).toEqual([expect.stringContaining(said), "Permission denied"]);
			expect(EventData.Reason).not.toBe("");
		}
	});

	test("a class without a name, and strings without end", () => {
		const strange = { ...judged, triple: { class: 0x2a, subClass: 0, protocol: 0 } };
		const long = { ...present, device: { ...present.device, product: "x".repeat(5000) } };
		const { Resource, EventData } = alert({ judged: strange, present: long });
		expect(Resource).toBe("USB 0x2a");
		expect(EventData.Product?.length).toBe(256);
	});
});
