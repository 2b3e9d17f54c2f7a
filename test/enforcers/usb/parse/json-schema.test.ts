import { expect, test } from "bun:test";
import { takes } from "../../../support/json-schema.ts";
import { devicePolicyKind } from "../support/host-policy.ts";

const hostPolicySchema = devicePolicyKind.schema ?? {};

const device = (entry: object) => ({
	apiVersion: "security.kubearmor.com/v1",
	kind: "KubeArmorHostPolicy",
	metadata: { name: "a" },
	spec: { process: {}, device: { matchDevice: [{ class: "HID", ...entry }] } },
});

test("an entry's schema", () => {
	for (const right of [
		{ class: 8, vendorId: "046d", productId: 0xc31c, serial: "a" },
		{ class: "mass-storage", connectType: "Not Used", protocol: "0x50", serial: ["a", "b"] },
		{ descriptorsHash: "0a".repeat(32), unlessAlso: ["HID", 8], action: "allow" },
	])
		expect([right, takes(device(right), hostPolicySchema)]).toEqual([right, true]);
	for (const wrong of [
		{ class: "DISK" },
		{ class: 0 },
		{ vendor: "046d" },
		{ vendorId: "046dx" },
		{ serial: [] },
		{ connectType: "usb" },
		{ descriptorsHash: "0a" },
		{ subClass: 256 },
	])
		expect([wrong, takes(device(wrong), hostPolicySchema)]).toEqual([wrong, false]);
});
