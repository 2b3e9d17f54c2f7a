/** The jobs of the USB Workers, for any sysfs. They may hold their thread for as long as a device does not answer. */

import { Sysfs } from "../../../kernel/sysfs.ts";
import { authorizeDevice, refuseDevice } from "../apply/authorize.ts";
import { lockAll, lockController, readDefaults, unlockAll } from "../apply/lock.ts";
import {
	listConnectTypes,
	listUsbDevices,
	readUsbDevice,
	refusedByOthers,
	usbDevicesPath,
	usbInstance,
} from "../observe/devices.ts";
import type { UsbCalls } from "./calls.ts";

/** `open` gives the sysfs below a root; tests put a stand-in for the kernel there. */
export function usbJobs(open: (root: string) => Sysfs = (root) => new Sysfs(root)): UsbCalls {
	return {
		ready: () => true,
		list: ({ root }) => {
			const files = open(root);
			if (files.identity(usbDevicesPath) === null) return null;
			return listUsbDevices(files).flatMap((name) => {
				const instance = usbInstance(files, name);
				return instance === null ? [] : [{ name, instance }];
			});
		},
		inspect: ({ root, name }) => readUsbDevice(open(root), name),
		authorize: ({ root, instance, request }) => {
			const files = open(root);
			const same = () => usbInstance(files, request.name) === instance;
			const { result, given } = authorizeDevice(files, request, same);
			return { result, given, present: readUsbDevice(files, request.name) };
		},
		refuse: ({ root, name, instance, interfaces }) => {
			const files = open(root);
			const same = () => usbInstance(files, name) === instance;
			const result = refuseDevice(files, name, interfaces, same);
			return { result, given: false, present: readUsbDevice(files, name) };
		},
		refusedByOthers: ({ root }) => refusedByOthers(open(root)),
		connectTypes: ({ root }) => [...listConnectTypes(open(root))],
		readDefaults: ({ root, known }) => readDefaults(open(root), known),
		lock: ({ root }) => lockAll(open(root)),
		lockController: ({ root, bus }) => lockController(open(root), bus),
		unlock: ({ root, prior }) => unlockAll(open(root), prior),
		testEvent: ({ root }) => {
			const files = open(root);
			const hub = files.list(usbDevicesPath).find((name) => /^usb\d+$/.test(name));
			return hub !== undefined && files.write(`${usbDevicesPath}/${hub}/uevent`, "change").ok;
		},
	};
}
