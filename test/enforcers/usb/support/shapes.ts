/** The devices, entries and policies that most tests of USB are about, each written once. */

import type { DeviceMatch } from "../../../../src/enforcers/usb/model.ts";
import type { PresentDevice } from "../../../../src/enforcers/usb/observe/devices.ts";
import type { UsbDevice } from "../../../../src/enforcers/usb/subject.ts";
import type { FakeDevice } from "./fake-device.ts";

const storageTriple = [8, 6, 0x50] as const;
const keyboardTriple = [3, 1, 1] as const;

export const stick: FakeDevice = { configurations: [[{ triple: storageTriple }]] };
export const keyboard: FakeDevice = { configurations: [[{ triple: keyboardTriple }]] };
/** A stick that types. */
export const badUsb: FakeDevice = {
	configurations: [[{ triple: storageTriple }, { number: 1, triple: keyboardTriple }]],
};

/** Matches every function. */
export const anything: DeviceMatch = {
	class: null,
	subClass: null,
	protocol: null,
	level: null,
	vendorId: null,
	productId: null,
	serial: null,
	product: null,
	manufacturer: null,
	port: null,
	connectType: null,
	descriptorsHash: null,
	unlessAlso: null,
};

/** A device as it is seen in sysfs, refused and without a driver. */
export function seen(device: UsbDevice, sysPath = "/devices/pci0/usb1/1-4"): PresentDevice {
	return {
		instance: "i",
		bus: 1,
		number: 5,
		authorized: false,
		interfaces: [],
		opens: { devices: false, interfaces: false },
		device,
		sysPath,
		sequence: 0,
	};
}

/** A policy for devices of every host, as text. */
export function devicePolicy(
	name: string,
	entries: readonly Readonly<Record<string, unknown>>[],
	spec: Readonly<Record<string, unknown>> = {},
): string {
	return JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorHostPolicy",
		metadata: { name },
		spec: {
			nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } },
			...spec,
			device: { matchDevice: entries },
		},
	});
}
