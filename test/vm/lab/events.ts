import { Lines } from "./lines.ts";
import { Stream } from "./wait.ts";

/** A kernel uevent in the order of its reception in the guest. */
export interface Uevent {
	readonly kind: "uevent";
	/** The guest's CLOCK_MONOTONIC in microseconds, when the recorder read it. */
	readonly at: number;
	readonly seqnum: number;
	readonly action: string;
	/** Path below /sys. */
	readonly devpath: string;
	readonly subsystem: string;
	/** Last part of the path: "1-5", "1-5:1.0", "sda". */
	readonly name: string;
	readonly properties: ReadonlyMap<string, string>;
}

/** A record of the kernel's log. */
export interface KernelLine {
	readonly kind: "log";
	/** CLOCK_MONOTONIC in microseconds, when the kernel wrote it. */
	readonly at: number;
	readonly seqnum: number;
	readonly text: string;
}

/** The recorder's buffer overflowed: events are missing here. */
export interface Lost {
	readonly kind: "lost";
	readonly what: string;
}

export type GuestEvent = Uevent | KernelLine | Lost;

/** Reads "ACTION@DEVPATH\0KEY=VALUE\0..." (Documentation/driver-api/kobject: lib/kobject_uevent.c). */
export function parseUevent(at: number, data: Buffer): Uevent {
	const properties = new Map<string, string>();
	for (const field of data.toString("latin1").split("\0")) {
		const equals = field.indexOf("=");
		if (equals > 0) properties.set(field.slice(0, equals), field.slice(equals + 1));
	}
	const devpath = properties.get("DEVPATH") ?? "";
	return {
		kind: "uevent",
		at,
		seqnum: Number(properties.get("SEQNUM") ?? 0),
		action: properties.get("ACTION") ?? "",
		devpath,
		subsystem: properties.get("SUBSYSTEM") ?? "",
		name: devpath.slice(devpath.lastIndexOf("/") + 1),
		properties,
	};
}

/** Reads "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT" (Documentation/ABI/testing/dev-kmsg). */
export function parseKernelLine(data: Buffer): KernelLine {
	const record = data.toString("latin1");
	const split = record.indexOf(";");
	const [, seqnum, at] = record.slice(0, split).split(",");
	return {
		kind: "log",
		at: Number(at),
		seqnum: Number(seqnum),
		text: record.slice(split + 1).split("\n", 1)[0] ?? "",
	};
}

/** The host's side of test/vm/guest/agent, port "lab.events". */
export class Recorder extends Stream<GuestEvent> {
	private lines: Lines | undefined;

	static async open(path: string, ms: number, gone: () => string | undefined): Promise<Recorder> {
		const recorder = new Recorder();
		recorder.lines = await Lines.open(path, ms, gone, (line) => recorder.receive(line));
		return recorder;
	}

	private receive(line: string): void {
		const [kind, first = "", second = ""] = line.split(" ");
		if (kind === "U") this.push(parseUevent(Number(first), Buffer.from(second, "base64")));
		else if (kind === "K") this.push(parseKernelLine(Buffer.from(first, "base64")));
		else if (kind === "LOST") this.push({ kind: "lost", what: first });
	}

	/** The uevents from `mark` on that satisfy `predicate`. */
	uevents(predicate: (event: Uevent) => boolean = () => true, mark = 0): readonly Uevent[] {
		return this.since(mark).filter((event): event is Uevent => event.kind === "uevent" && predicate(event));
	}

	/** The lines of the kernel's log from `mark` on. */
	kernelLog(mark = 0): readonly string[] {
		return this.since(mark).flatMap((event) => (event.kind === "log" ? [event.text] : []));
	}

	/** The next uevent from `mark` on that satisfies `predicate`. */
	async uevent(
		predicate: (event: Uevent) => boolean,
		what: string,
		options: { mark?: number; ms?: number } = {},
	): Promise<Uevent> {
		const event = await this.find((item) => item.kind === "uevent" && predicate(item), what, options);
		if (event.kind !== "uevent") throw new Error("unreachable");
		return event;
	}

	close(): void {
		this.lines?.close();
	}
}
