/** libudev: a monitor of the kernel's uevents (libudev.h). Objects stay on the thread that made them. */

import type { FFIFunction, Library, Pointer } from "bun:ffi";
import { EAGAIN, EINTR, ENOBUFS } from "./constants.ts";
import { Libc } from "./libc.ts";
import { checkedInteger, type LibraryFailure, type LibrarySpec, openLibrary } from "./library.ts";

const FUNCTIONS = {
	udev_new: { args: [], returns: "ptr" },
	udev_unref: { args: ["ptr"], returns: "ptr" },
	udev_monitor_new_from_netlink: { args: ["ptr", "cstring"], returns: "ptr" },
	udev_monitor_unref: { args: ["ptr"], returns: "ptr" },
	udev_monitor_filter_add_match_subsystem_devtype: { args: ["ptr", "cstring", "ptr"], returns: "int" },
	udev_monitor_set_receive_buffer_size: { args: ["ptr", "int"], returns: "int" },
	udev_monitor_enable_receiving: { args: ["ptr"], returns: "int" },
	udev_monitor_get_fd: { args: ["ptr"], returns: "int" },
	udev_monitor_receive_device: { args: ["ptr"], returns: "ptr" },
	udev_device_get_action: { args: ["ptr"], returns: "cstring" },
	udev_device_get_devpath: { args: ["ptr"], returns: "cstring" },
	udev_device_get_property_value: { args: ["ptr", "cstring"], returns: "cstring" },
	udev_device_unref: { args: ["ptr"], returns: "ptr" },
} as const satisfies Record<string, FFIFunction>;

const SPEC: LibrarySpec = {
	fileNames: ["libudev.so.1"],
	remedy:
		"install libudev: `apt install libudev1` (Debian, Ubuntu), `dnf install systemd-libs` (Fedora, RHEL), " +
		"`zypper install libudev1` (SUSE), `apk add libudev-zero` or `apk add eudev-libs` (Alpine), `pacman -S systemd-libs` (Arch)",
};

type Symbols = Library<typeof FUNCTIONS>["symbols"];

export interface UdevMonitorOptions {
	/** Only devices of this subsystem are received. */
	readonly subsystem: string;
	/** Bytes of uevents, of every subsystem, that may wait to be read; libudev asks with SO_RCVBUFFORCE. */
	readonly receiveBuffer: number;
	/** Directories to search for the library; those of this architecture when absent. */
	readonly directories?: readonly string[];
}

export type UdevReceived =
	| {
			readonly kind: "device";
			readonly action: string;
			readonly devpath: string;
			readonly properties: ReadonlyMap<string, string>;
	  }
	/** Nothing to read now. */
	| { readonly kind: "empty" }
	/** The kernel dropped messages, as the receive buffer was full (ENOBUFS). */
	| { readonly kind: "overrun" }
	| { readonly kind: "error"; readonly error: string };

export class UdevMonitor {
	readonly #libc: Libc;
	readonly #symbols: Symbols;
	#udev: Pointer | null;
	#monitor: Pointer | null;

	private constructor(libc: Libc, symbols: Symbols, udev: Pointer, monitor: Pointer) {
		this.#libc = libc;
		this.#symbols = symbols;
		this.#udev = udev;
		this.#monitor = monitor;
	}

	/** Listens to the kernel itself, so no udev daemon needs to run. */
	static open(
		options: UdevMonitorOptions,
	): { readonly ok: true; readonly monitor: UdevMonitor } | LibraryFailure {
		const library = Libc.open();
		if (!library.ok) return library;
		const result = openLibrary(
			options.directories === undefined ? SPEC : { ...SPEC, directories: options.directories },
			FUNCTIONS,
		);
		if (!result.ok) return result;
		const { symbols } = result;
		const failure = (reason: string): LibraryFailure => ({
			ok: false,
			tried: [result.path],
			reason,
			remedy: "run portward as root, with CAP_NET_ADMIN, on a kernel with CONFIG_NET and CONFIG_HOTPLUG",
		});
		const udev = symbols.udev_new();
		if (typeof udev !== "number") return failure("udev_new gave no context");
		const monitor = symbols.udev_monitor_new_from_netlink(udev, "kernel");
		if (typeof monitor !== "number") {
			symbols.udev_unref(udev);
			return failure("udev_monitor_new_from_netlink gave no monitor");
		}
		const opened = new UdevMonitor(library.libc, symbols, udev, monitor);
		const bytes = checkedInteger(options.receiveBuffer, 1, 0x3fffffff, "receiveBuffer");
		// A smaller buffer than asked for is better than none, so a refusal is no failure.
		symbols.udev_monitor_set_receive_buffer_size(monitor, bytes);
		const steps: readonly [string, () => number][] = [
			[
				"udev_monitor_filter_add_match_subsystem_devtype",
				() => symbols.udev_monitor_filter_add_match_subsystem_devtype(monitor, options.subsystem, null),
			],
			["udev_monitor_enable_receiving", () => symbols.udev_monitor_enable_receiving(monitor)],
		];
		for (const [name, step] of steps) {
			const code = step();
			if (code >= 0) continue;
			opened.close();
			return failure(`${name} failed with code ${code}`);
		}
		return { ok: true, monitor: opened };
	}

	/** The descriptor, for poll. */
	get fd(): number {
		const monitor = this.#monitor;
		return monitor === null ? -1 : this.#symbols.udev_monitor_get_fd(monitor);
	}

	/** Reads one event without waiting, with the properties that are asked for. */
	receive(properties: readonly string[]): UdevReceived {
		const monitor = this.#monitor;
		if (monitor === null) return { kind: "error", error: "the monitor is closed" };
		this.#libc.clearErrno();
		const device = this.#symbols.udev_monitor_receive_device(monitor);
		if (typeof device !== "number") {
			const errno = this.#libc.errno;
			if (errno === ENOBUFS) return { kind: "overrun" };
			// Zero is an event that the filter held back; whether more is there the next poll tells.
			if (errno === 0 || errno === EAGAIN || errno === EINTR) return { kind: "empty" };
			return { kind: "error", error: `udev_monitor_receive_device: errno ${errno}` };
		}
		try {
			const values = new Map<string, string>();
			for (const name of properties) {
				const value = this.#symbols.udev_device_get_property_value(device, name);
				if (value !== null) values.set(name, String(value));
			}
			return {
				kind: "device",
				action: String(this.#symbols.udev_device_get_action(device) ?? ""),
				devpath: String(this.#symbols.udev_device_get_devpath(device) ?? ""),
				properties: values,
			};
		} finally {
			this.#symbols.udev_device_unref(device);
		}
	}

	/** Frees the monitor. A second call does nothing. */
	close(): void {
		if (this.#monitor !== null) this.#symbols.udev_monitor_unref(this.#monitor);
		if (this.#udev !== null) this.#symbols.udev_unref(this.#udev);
		this.#monitor = null;
		this.#udev = null;
	}
}
