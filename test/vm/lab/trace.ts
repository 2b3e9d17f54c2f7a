import type { Vm } from "./vm.ts";

const kinds = [
	"authorized",
	"interface",
	"probe",
	"drivers_probe",
	"default",
	"interface_default",
	"bound",
	"add",
] as const;

/** A moment at which the kernel did something about USB authorization. */
export interface TraceEvent {
	/**
	 * "authorized" and "interface" are writes to a device's and an interface's authorized file, "drivers_probe",
	 * "default" and "interface_default" to the files of these names. "probe" is an interface being offered to a driver:
	 * the kernel does so for a refused one as well, and then does not call the driver. "bound" is a driver that has taken
	 * a device or an interface; "add" the moment after the uevent that announces either.
	 */
	readonly what: (typeof kinds)[number];
	/** CLOCK_MONOTONIC of the guest in microseconds, as in a Uevent. */
	readonly at: number;
	/** The device or interface; for "drivers_probe" the bus. */
	readonly name: string;
	/** What was written. */
	readonly value: string;
	/** The writing thread. */
	readonly comm: string;
	readonly pid: number;
}

// The kernel's functions behind the files, all of (device, attribute, buffer, length) but the driver's probe, which
// takes the device, as driver_bound and bus_probe_device do, and drivers_probe, which takes the bus. device_add calls
// bus_probe_device when it has sent the uevent; sending itself cannot be probed. A kobject's name is its first member,
// and the kobject the first of the device. x86-64 arguments: di, si, dx, cx. (Documentation/trace/kprobetrace.rst)
const probes = [
	"p:lab/authorized usbcore:authorized_store name=+0(+0(%di)):string value=+0(%dx):string",
	"p:lab/interface usbcore:interface_authorized_store name=+0(+0(%di)):string value=+0(%dx):string",
	"p:lab/default usbcore:authorized_default_store name=+0(+0(%di)):string value=+0(%dx):string",
	"p:lab/interface_default usbcore:interface_authorized_default_store name=+0(+0(%di)):string value=+0(%dx):string",
	"p:lab/drivers_probe drivers_probe_store name=+0(+0(%di)):string value=+0(%si):string",
	"p:lab/probe usbcore:usb_probe_interface name=+0(+0(%di)):string",
	"p:lab/bound driver_bound name=+0(+0(%di)):string",
	"p:lab/add bus_probe_device name=+0(+0(%di)):string",
];

/**
 * Records, by kernel probes, every write to the authorization files and every time that a driver is offered an
 * interface: the order of decision and driver as the kernel saw it, and when the last write of a decision was.
 */
export class Trace {
	private constructor(private readonly vm: Vm) {}

	static async start(vm: Vm): Promise<Trace> {
		await vm.sh(`
			[ -e /sys/kernel/tracing/kprobe_events ] || mount -t tracefs tracefs /sys/kernel/tracing
			cd /sys/kernel/tracing
			echo 0 > tracing_on; echo mono > trace_clock; echo 4096 > buffer_size_kb
			${probes.map((probe) => `echo '${probe}' >> kprobe_events`).join("\n")}
			echo 1 > events/lab/enable; echo > trace; echo 1 > tracing_on`);
		return new Trace(vm);
	}

	/** What has been recorded since the last call of clear(), in order. */
	async events(): Promise<readonly TraceEvent[]> {
		const text = await this.vm.sh("cat /sys/kernel/tracing/trace");
		return parseTrace(text);
	}

	async clear(): Promise<void> {
		await this.vm.sh("echo > /sys/kernel/tracing/trace");
	}

	async stop(): Promise<void> {
		await this.vm.sh("cd /sys/kernel/tracing; echo 0 > events/lab/enable; echo > kprobe_events");
	}
}

/** Reads lines of "  comm-pid [cpu] flags seconds.micros: event: (place) name="..." value="...""; a value may end a line. */
export function parseTrace(text: string): readonly TraceEvent[] {
	const lines = text.replace(/\n"(?=\n|$)/g, '"').split("\n");
	return lines.flatMap((line) => {
		const found = /^\s*(.+)-(\d+)\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): \([^)]*\)(.*)$/.exec(line);
		if (!found) return [];
		const [, comm = "", pid, seconds, micros, event, rest = ""] = found;
		const what = kinds.find((kind) => kind === event);
		if (what === undefined) return [];
		const name = / name="([^"]*)"/.exec(rest)?.[1] ?? "";
		const value = / value="([^"]*)"/.exec(rest)?.[1] ?? "";
		return [{ what, at: Number(seconds) * 1_000_000 + Number(micros), name, value, comm, pid: Number(pid) }];
	});
}
