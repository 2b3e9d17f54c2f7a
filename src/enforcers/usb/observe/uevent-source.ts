/** Where USB events come from: libudev, or the kernel's netlink group itself. */

import { NETLINK_KOBJECT_UEVENT } from "../../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { UdevMonitor } from "../../../../ffi/udev.ts";
import { parseUevent, type UsbEvent, usbEvent, usbProperties } from "./uevent.ts";

/** The kernel's multicast group; group 2 is udev's. */
const kernelGroup = 1;

/** Room for the events of every subsystem while nobody reads: plugging one keyboard takes about 25. */
const receiveBufferBytes = 128 << 20;

export type Backend = "libudev" | "netlink";

export type Next =
	| { readonly kind: "event"; readonly event: UsbEvent }
	/** An event of no interest to us, or one that is no event. */
	| { readonly kind: "other" }
	| { readonly kind: "empty" }
	/** Events were lost. */
	| { readonly kind: "overrun" }
	| { readonly kind: "error"; readonly error: string };

export interface UeventSource {
	readonly backend: Backend;
	/** For poll. */
	readonly fd: number;
	/** Reads one event without waiting. */
	next(): Next;
	close(): void;
}

export interface SourceOptions {
	readonly backend: Backend;
	/** Bytes; a smaller buffer serves to test what happens when it is full. */
	readonly receiveBuffer?: number;
}

export type SourceResult =
	| { readonly ok: true; readonly source: UeventSource }
	| { readonly ok: false; readonly error: string };

/** Opens a source; from then on no event is missed without an `overrun`. */
export function openUeventSource({ backend, receiveBuffer }: SourceOptions): SourceResult {
	const bytes = receiveBuffer ?? receiveBufferBytes;
	return backend === "libudev" ? openLibudev(bytes) : openNetlink(bytes);
}

/** libudev lets only messages of the kernel's through. */
function openLibudev(receiveBuffer: number): SourceResult {
	const opened = UdevMonitor.open({ subsystem: "usb", receiveBuffer });
	if (!opened.ok) return { ok: false, error: `${opened.reason}; ${opened.remedy}` };
	const { monitor } = opened;
	return {
		ok: true,
		source: {
			backend: "libudev",
			fd: monitor.fd,
			next: () => {
				const received = monitor.receive(usbProperties);
				if (received.kind !== "device") return received;
				return classify(usbEvent(received, now()));
			},
			close: () => monitor.close(),
		},
	};
}

function openNetlink(receiveBuffer: number): SourceResult {
	const opened = NetlinkSocket.open({
		protocol: NETLINK_KOBJECT_UEVENT,
		groups: [kernelGroup],
		receiveBuffer,
	});
	if (!opened.ok) return opened;
	const { socket } = opened;
	return {
		ok: true,
		source: {
			backend: "netlink",
			fd: socket.fd,
			next: () => {
				const received = socket.receive();
				if (received.kind !== "data") return received;
				const uevent = parseUevent(received.bytes);
				return classify(uevent === null ? null : usbEvent(uevent, now()));
			},
			close: () => socket.close(),
		},
	};
}

function classify(event: UsbEvent | null): Next {
	return event === null ? { kind: "other" } : { kind: "event", event };
}

/** Milliseconds since the epoch with a fraction, by a clock that all threads share. */
function now(): number {
	return performance.timeOrigin + performance.now();
}
