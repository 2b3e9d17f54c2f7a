/**
 * A kernel with USB to test against: a sysfs tree on disk that follows writes
 * as drivers/usb/core does, and the uevents that go with it.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseUsbDescriptors } from "../../../../src/enforcers/usb/observe/descriptors.ts";
import type {
	SourceState,
	UsbEventHandlers,
	UsbEvents,
} from "../../../../src/enforcers/usb/observe/observer.ts";
import { parseUsbPort } from "../../../../src/enforcers/usb/observe/port.ts";
import type { UsbEvent } from "../../../../src/enforcers/usb/observe/uevent.ts";
import { usbJobs } from "../../../../src/enforcers/usb/run/jobs.ts";
import type { UsbCaller } from "../../../../src/enforcers/usb/run/worker-pool.ts";
import { Sysfs, type WriteResult } from "../../../../src/kernel/sysfs.ts";
import { descriptorsOf, type FakeDevice, fakeDriver } from "./fake-device.ts";

export class FakeKernel extends Sysfs implements UsbEvents {
	readonly backend = "libudev";
	/** Every bind of a driver to an interface: "1-1:1.0 usbhid". */
	readonly binds: string[] = [];
	/** Every write: "1-1/authorized=0". */
	readonly writes: string[] = [];
	/** Called before each write. */
	beforeWrite: (path: string, value: string) => void = () => {};
	/** Events that were asked for by writing a uevent file: "add 1-1". */
	readonly told: string[] = [];
	/** Devices whose refusal does not return until the promise resolves. */
	readonly hanging = new Map<string, Promise<void>>();
	/** Nothing is authorized before this. */
	authorizing: Promise<void> = Promise.resolve();
	/** Paths that cannot be written. */
	readonly readOnly = new Set<string>();
	/** What start() says. */
	sourceState: SourceState = { state: "listening" };
	/** False: events are lost, as with a full buffer. */
	delivers = true;
	#handlers: UsbEventHandlers | null = null;
	private readonly identities = new Map<string, string>();
	readonly #devices = new Map<string, FakeDevice>();
	#devnum = 1;
	#sequence = 1;

	constructor(options: { readonly usb?: boolean } = {}) {
		super(mkdtempSync(join(tmpdir(), "portward-usb.")));
		if (options.usb === false) return;
		this.loadUsbcore();
	}

	/** Makes what the kernel shows as soon as usbcore is there. */
	loadUsbcore(): void {
		mkdirSync(join(this.root, "bus/usb/devices"), { recursive: true });
		mkdirSync(join(this.root, "bus/usb/drivers"), { recursive: true });
		mkdirSync(join(this.root, "module/usbcore/parameters"), { recursive: true });
		mkdirSync(join(this.root, "kernel"), { recursive: true });
		writeFileSync(join(this.root, "bus/usb/drivers_probe"), "");
		this.#put("module/usbcore/parameters/authorized_default", "-1");
		this.addBus(1);
	}

	remove(): void {
		rmSync(this.root, { recursive: true, force: true });
	}

	/** A new controller. */
	addBus(bus: number): void {
		const name = `usb${bus}`;
		const parameter = this.readText("module/usbcore/parameters/authorized_default");
		const path = `devices/pci0/${name}`;
		mkdirSync(join(this.root, path), { recursive: true });
		this.#put(`${path}/authorized_default`, parameter === "0" ? "0" : "1");
		this.#put(`${path}/interface_authorized_default`, "1");
		this.#put(`${path}/uevent`, "");
		this.#device(name, path, bus, { triple: [9, 0, 1], configurations: [[{ triple: [9, 0, 0] }]] }, true);
	}

	/** Plugs a device in: `1-4`, or behind a hub `1-4.2`. Returns whether the kernel sees it. */
	plug(name: string, device: FakeDevice): boolean {
		const port = parseUsbPort(name);
		const parent = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : `usb${port?.bus}`;
		const hub = this.realPath(`bus/usb/devices/${parent}`)?.slice(1);
		if (port === null || hub === undefined) throw new Error(`no port ${name}`);
		// A hub that is not authorized enumerates nothing.
		if (this.readText(`${hub}/authorized`) === "0") return false;
		const open = this.readText(`bus/usb/devices/usb${port.bus}/authorized_default`) !== "0";
		this.#device(name, `${hub}/${name}`, port.bus, device, open);
		return true;
	}

	unplug(name: string): void {
		const path = this.realPath(`bus/usb/devices/${name}`)?.slice(1);
		if (path === undefined) return;
		for (const child of [...this.#devices.keys()].filter((other) => other.startsWith(`${name}.`)))
			this.unplug(child);
		const address = this.#address(name);
		this.#unconfigure(name);
		rmSync(join(this.root, path), { recursive: true });
		rmSync(join(this.root, "bus/usb/devices", name));
		this.#devices.delete(name);
		this.#emit("remove", name, address);
	}

	/** The interfaces of a device that have a driver: "1-1:1.0". */
	bound(name: string): readonly string[] {
		return this.list(`bus/usb/devices/${name}`).filter(
			(item) => item.includes(":") && this.linkName(`bus/usb/devices/${name}/${item}/driver`) !== null,
		);
	}

	authorized(name: string): boolean {
		return this.readText(`bus/usb/devices/${name}/authorized`) !== "0";
	}

	/** As another root process would do it. */
	meddle(path: string, value: string): void {
		this.#written(path, value);
	}

	override write(path: string, value: string, check?: () => boolean): WriteResult {
		if ([...this.readOnly].some((part) => path.includes(part))) {
			return { ok: false, reason: "failed", error: `writing ${value} to ${path}: EROFS` };
		}
		this.beforeWrite(path, value);
		const result = super.write(path, "", check);
		if (!result.ok) return result;
		this.writes.push(`${path.replace("bus/usb/devices/", "")}=${value}`);
		this.#written(path, value);
		return result;
	}

	/** The kernel never gives a number twice while it runs, and a file system of a disk does. */
	override identity(path: string): string | null {
		return super.identity(path) === null
			? null
			: (this.identities.get(basename(path)) ?? super.identity(path));
	}

	#identify(name: string): void {
		this.identities.set(name, `k${this.identities.size}.${this.#sequence++}`);
	}

	/** Runs the product's jobs against this kernel. */
	get pool() {
		const jobs = usbJobs(() => this);
		const caller: UsbCaller = {
			call: async (name, argument) => {
				await Promise.resolve();
				const job = jobs[name] as (argument: unknown) => unknown;
				const device = (argument as { name?: string }).name ?? "";
				if (name === "refuse") await this.hanging.get(device);
				if (name === "authorize") await this.authorizing;
				return job(argument) as never;
			},
		};
		return {
			run: <T>(job: (worker: UsbCaller) => Promise<T>): Promise<T> => job(caller),
			stop: () => {},
		};
	}

	async start(handlers: UsbEventHandlers): Promise<SourceState> {
		this.#handlers = handlers;
		return this.sourceState;
	}

	async stop(): Promise<void> {
		this.#handlers = null;
	}

	/** The kernel's buffer was full. */
	overflow(): void {
		this.#handlers?.lost();
	}

	#written(path: string, value: string): void {
		const before = this.readText(path);
		this.#put(path, value);
		const [, device = "", rest = ""] = /^bus\/usb\/devices\/([^/]+)\/(.*)$/.exec(path) ?? [];
		if (path === "bus/usb/drivers_probe") this.#bind(value);
		else if (rest === "uevent") {
			const [action = "", mark = "0"] = value.split(" ");
			this.told.push(`${action} ${device}`);
			this.#emit(action, device, this.#address(device), true, "device", mark);
		} else if (rest === "authorized") {
			// Writing what is there already does nothing, and tells nobody (usb_authorize_device, usb_deauthorize_device).
			if (value === before) return;
			if (value === "0") this.#unconfigure(device);
			else this.#configure(device, 1);
			this.#emit("change", device, this.#address(device));
		} else if (rest === "bConfigurationValue") {
			this.#unconfigure(device);
			this.#configure(device, Number(value));
		} else if (/:\d+\.\d+\/authorized$/.test(rest) && value === "0") {
			rmSync(join(this.root, path, "../driver"), { force: true });
		}
	}

	#device(name: string, path: string, bus: number, device: FakeDevice, open: boolean): void {
		const full = join(this.root, path);
		mkdirSync(full, { recursive: true });
		this.#identify(name);
		this.#devices.set(name, device);
		writeFileSync(join(full, "descriptors"), descriptorsOf(device));
		this.#put(`${path}/busnum`, String(bus));
		this.#put(`${path}/devnum`, String(this.#devnum++));
		this.#put(`${path}/authorized`, open ? "1" : "0");
		this.#put(`${path}/uevent`, "");
		for (const [key, text] of Object.entries(device.strings ?? {}))
			writeFileSync(join(full, key), `${text}\n`);
		symlinkSync(full, join(this.root, "bus/usb/devices", name));
		const port = parseUsbPort(name);
		if (device.connectType !== undefined && port !== null) {
			const parent = port.level === 1 ? `usb${port.bus}` : name.slice(0, name.lastIndexOf("."));
			const inner = port.level === 1 ? `${port.bus}-0:1.0` : `${parent}:1.0`;
			const place = `bus/usb/devices/${parent}/${inner}/${parent}-port${port.chain.at(-1)}`;
			mkdirSync(join(this.root, place), { recursive: true });
			this.#put(`${place}/connect_type`, device.connectType);
		}
		this.#emit("add", name, this.#address(name));
		if (open) this.#configure(name, 1);
	}

	#configure(name: string, value: number): void {
		const device = this.#devices.get(name);
		const port = parseUsbPort(name);
		if (!device || port === null) return;
		const open = this.readText(`bus/usb/devices/usb${port.bus}/interface_authorized_default`) !== "0";
		const chosen = parseUsbDescriptors(descriptorsOf(device)).configurations.find(
			(item) => item.value === value,
		);
		for (const number of new Set(chosen?.interfaces.map((item) => item.number))) {
			const own = `${port.level === 0 ? `${port.bus}-0` : name}:${value}.${number}`;
			mkdirSync(join(this.root, "bus/usb/devices", name, own), { recursive: true });
			this.#identify(own);
			this.#put(`bus/usb/devices/${name}/${own}/authorized`, open ? "1" : "0");
			this.#emit("add", name, null, false, "interface");
			if (open) this.#bind(own);
		}
	}

	#unconfigure(name: string): void {
		for (const child of [...this.#devices.keys()].filter((other) => other.startsWith(`${name}.`)))
			this.unplug(child);
		for (const entry of this.list(`bus/usb/devices/${name}`)) {
			if (entry.includes(":")) rmSync(join(this.root, "bus/usb/devices", name, entry), { recursive: true });
		}
	}

	/** A driver takes an authorized interface by the class of its first altsetting. */
	#bind(name: string): void {
		const port = parseUsbPort(name);
		if (port === null || port.interface === null) return;
		const directory = `bus/usb/devices/${port.device}/${name}`;
		if (this.readText(`${directory}/authorized`) !== "1" || this.linkName(`${directory}/driver`) !== null)
			return;
		const { configuration, number } = port.interface;
		const descriptors = parseUsbDescriptors(
			readFileSync(join(this.root, "bus/usb/devices", port.device, "descriptors")),
		);
		const found = descriptors.configurations
			.find((item) => item.value === configuration)
			?.interfaces.find((item) => item.number === number);
		const driver = fakeDriver(found?.class ?? 0);
		if (driver === undefined) return;
		symlinkSync(`/sys/bus/usb/drivers/${driver}`, join(this.root, directory, "driver"));
		this.binds.push(`${name} ${driver}`);
		this.#emit("bind", port.device, null, false, "interface");
	}

	#address(name: string): UsbEvent["address"] {
		const path = `bus/usb/devices/${name}`;
		return { bus: Number(this.readText(`${path}/busnum`)), number: Number(this.readText(`${path}/devnum`)) };
	}

	#emit(
		action: string,
		device: string,
		address: UsbEvent["address"],
		synthetic = false,
		kind: UsbEvent["kind"] = "device",
		mark = "",
	): void {
		const sequence = this.#sequence++;
		this.#put("kernel/uevent_seqnum", String(sequence));
		const event = {
			action,
			kind,
			device,
			address,
			sequence,
			synthetic,
			mark,
			time: performance.timeOrigin + performance.now(),
		};
		const handlers = this.#handlers;
		if (this.delivers) queueMicrotask(() => handlers?.event(event));
	}

	#put(path: string, text: string): void {
		writeFileSync(join(this.root, path), `${text}\n`);
	}
}
