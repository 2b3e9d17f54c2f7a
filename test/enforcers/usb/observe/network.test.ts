import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usbCarriers } from "../../../../src/enforcers/usb/observe/network.ts";
import { Sysfs } from "../../../../src/kernel/sysfs.ts";

let root: string;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-net."));
	mkdirSync(join(root, "class/net"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function netdev(name: string, place: string, ...lower: string[]): void {
	mkdirSync(join(root, place, name), { recursive: true });
	symlinkSync(join(root, place, name), join(root, "class/net", name));
	for (const one of lower) symlinkSync(`../${one}`, join(root, place, name, `lower_${one}`));
}

test("an adapter behind a hub, and a bridge over a VLAN over it, are carried by the adapter and its hub", () => {
	netdev("eth1", "devices/pci0/usb1/1-4/1-4.2/1-4.2:2.0/net");
	netdev("eth1.7", "devices/virtual/net", "eth1");
	netdev("br0", "devices/virtual/net", "eth1.7", "eth0");
	netdev("eth0", "devices/pci0/0000:00:03.0/net");
	netdev("loop", "devices/virtual/net", "loop");
	const files = new Sysfs(root);
	const carrier = { netdev: "eth1", interface: "1-4.2:2.0", ports: ["1-4.2", "1-4"] };
	expect(usbCarriers(files, "eth1")).toEqual([carrier]);
	expect(usbCarriers(files, "br0")).toEqual([carrier]);
	expect(usbCarriers(files, "eth0")).toEqual([]);
	for (const name of ["none", "..", "", "a/b", "loop"]) expect(usbCarriers(files, name)).toEqual([]);
});
