/** Turns what the USB enforcer does into alerts, log lines, counts and statuses. */

import type { HostIdentity } from "../../../report/alert.ts";
import type { Logger } from "../../../report/log.ts";
import { Histogram } from "../../../report/metrics/exposition.ts";
import type { AlertSink } from "../../../report/sinks/alert-sink.ts";
import { systemAlert } from "../../../report/system-alert.ts";
import { nextStep } from "../apply/reconcile.ts";
import { usbClassName } from "../class.ts";
import type { DeviceDecision, JudgedFunction } from "../compile/decide.ts";
import { decisionReason, withheldReason } from "../compile/reason.ts";
import type { PresentDevice } from "../observe/devices.ts";
import { compareUsbPorts } from "../observe/port.ts";
import { deviceAlert, deviceNames } from "../report/device-alert.ts";
import type { DeviceCondition, DeviceStatus, FunctionStatus } from "../report/device-status.ts";
import { type UsbCounts, usbDecisionBounds } from "../report/metrics/device-metrics.ts";
import type { UsbEnforcer } from "./enforcer.ts";
import type { UsbEnforcerEvents } from "./enforcer-options.ts";
import type { UsbHistoryKeeper } from "./history-keeper.ts";
import type { WouldRefuse } from "./staged-devices.ts";
import type { Tracked } from "./tracker.ts";

export class UsbReporter implements UsbEnforcerEvents {
	readonly #sink: Pick<AlertSink, "publish">;
	readonly #identity: HostIdentity;
	readonly #log: Logger;
	readonly #history: Pick<UsbHistoryKeeper, "settled" | "left">;
	/** What was last reported of each function, so that only news is reported. */
	readonly #reported = new WeakMap<Tracked, Map<string, string>>();
	readonly #decisions = { Allow: 0, Audit: 0, Block: 0 };
	readonly #seconds = new Histogram(usbDecisionBounds);
	#rescans = 0;
	#overflows = 0;

	constructor(
		sink: Pick<AlertSink, "publish">,
		identity: HostIdentity,
		log: Logger,
		history: Pick<UsbHistoryKeeper, "settled" | "left">,
	) {
		this.#sink = sink;
		this.#identity = identity;
		this.#log = log;
		this.#history = history;
	}

	settled(
		device: Tracked,
		present: PresentDevice,
		decision: DeviceDecision,
		allowedUntil: number | null,
	): void {
		const known = this.#reported.get(device) ?? new Map<string, string>();
		this.#reported.set(device, known);
		const alerts = [];
		for (const judged of reportable(present, decision)) {
			const key = functionKey(judged);
			const { action, source, entry } = judged.verdict;
			const what = JSON.stringify([action, source, entry?.policy, entry?.entry.index, judged.withheld]);
			if (known.get(key) === what) continue;
			known.set(key, what);
			this.#decisions[judged.verdict.action] += 1;
			const facts = { time: Date.now(), present, judged, decision, allowedUntil, removed: false };
			alerts.push(deviceAlert(facts, this.#identity));
		}
		if (alerts.length === 0) return;
		this.#history.settled(present, decision);
		this.#sink.publish(alerts);
		const { port, product, descriptors } = present.device;
		const fields = { port, product, vendor: hex(descriptors.vendorId), id: hex(descriptors.productId) };
		if (decision.malformed !== null) {
			this.#log.warn("a USB device has malformed descriptors", { ...fields, reason: decision.malformed });
		}
		if (decision.odd.length > 0) {
			this.#log.info("a USB device's descriptors are odd", { ...fields, what: decision.odd.join("; ") });
		}
		const reason = decisionReason(decision);
		this.#log.info(`USB device ${conditionOf(device)}`, reason === null ? fields : { ...fields, reason });
	}

	staged(present: PresentDevice, would: readonly WouldRefuse[]): void {
		const told = would.filter(({ judged }) => reportable(present, { functions: [judged] }).length > 0);
		this.#sink.publish(
			told.map(({ judged, decision, staged }) => {
				// It passes, whatever would keep it out.
				const verdict = { ...judged.verdict, action: "Audit", wouldBe: "Block" } as const;
				const passing = { ...judged, verdict, withheld: null };
				const facts = { time: Date.now(), present, judged: passing, decision, allowedUntil: null };
				return deviceAlert({ ...facts, staged, removed: false }, this.#identity);
			}),
		);
	}

	removed(device: Tracked): void {
		const { present, decision } = device;
		if (present === null || decision === null || !this.#reported.has(device)) return;
		this.#history.left(present);
		this.#sink.publish(
			reportable(present, decision).map((judged) =>
				deviceAlert(
					{ time: Date.now(), present, judged, decision, allowedUntil: null, removed: true },
					this.#identity,
				),
			),
		);
	}

	pending(device: Tracked): void {
		this.#warn(device, "A USB device holds up a change of its authorization; it is pending", {});
	}

	failed(device: Tracked, error: string): void {
		this.#warn(device, "The authorization of a USB device could not be changed", { Error: error });
	}

	undone(device: Tracked): void {
		this.#warn(device, "Somebody else authorized a refused USB device; it is refused again", {});
	}

	written(seconds: number): void {
		this.#seconds.observe(seconds);
	}

	reopened(buses: readonly string[]): void {
		const message = "Somebody else opened a USB controller's defaults; they are closed again";
		this.#log.error(message, { buses });
		this.#system("USB", message, { Controllers: buses.join(",") });
	}

	overflow(): void {
		this.#overflows += 1;
		this.#log.warn("the kernel dropped USB events; looking at every device again");
	}

	rescan(): void {
		this.#rescans += 1;
	}

	warn(message: string): void {
		this.#log.warn(message);
	}

	foreign(port: string, present: PresentDevice): void {
		const message =
			"Somebody else refused a USB device or a function of it that the policies permit; it stays refused";
		this.#report(port, present, `${message} until they, or portward usb allow, end it`, {});
	}

	blocked(port: string, present: PresentDevice): void {
		const message = "A USB device is refused by hand until it is unplugged or portward usb allow lets it in";
		this.#report(port, present, message, {});
	}

	allowed(port: string, present: PresentDevice, until: number | null): void {
		const message =
			until === null
				? "The temporary permission of a USB device has ended"
				: "A USB device is allowed for a time, whatever the policies say";
		this.#report(port, present, message, until === null ? {} : { Until: new Date(until).toISOString() });
	}

	/** What the metrics need. */
	counts(enforcer: UsbEnforcer): UsbCounts {
		const devices = { authorized: 0, partial: 0, refused: 0, pending: 0 };
		const tracked = enforcer.devices();
		for (const device of tracked) {
			const condition = conditionOf(device);
			if (condition !== null) devices[condition] += 1;
		}
		return {
			devices,
			decisions: { ...this.#decisions },
			decisionSeconds: this.#seconds.value(),
			rescans: this.#rescans,
			overflows: this.#overflows,
			pendingWrites: tracked.filter((device) => device.pending).length,
		};
	}

	#warn(device: Tracked, message: string, data: Readonly<Record<string, string>>): void {
		this.#report(device.name, device.present, message, data);
	}

	#report(
		port: string,
		present: PresentDevice | null,
		message: string,
		data: Readonly<Record<string, string>>,
	): void {
		this.#log.warn(message, { port, ...data });
		const names = present === null ? { Port: port } : deviceNames(present);
		this.#system(`USB ${port}`, message, { ...names, ...data });
	}

	#system(resource: string, message: string, eventData: Readonly<Record<string, string>>): void {
		const event = {
			time: Date.now(),
			resource,
			message,
			severity: 8,
			tags: ["USB"],
			action: "Audit" as const,
			enforcer: "USBDeviceHandler" as const,
			eventData,
		};
		this.#sink.publish([systemAlert(event, this.#identity)]);
	}
}

/** Every device that has been judged, a hub before what hangs on it, for /v1/usb/devices. */
export function deviceStatuses(enforcer: UsbEnforcer): DeviceStatus[] {
	const devices = enforcer.devices().toSorted((a, b) => compareUsbPorts(a.name, b.name));
	return devices.flatMap((device) => {
		const { present, decision, error } = device;
		const state = conditionOf(device);
		if (present === null || decision === null || state === null) return [];
		const { port, level, descriptors, manufacturer, product, serial, connectType } = present.device;
		const until = enforcer.allowedUntil(device);
		const { malformed, odd } = decision;
		return [
			{
				port,
				level,
				vendorId: hex(descriptors.vendorId),
				productId: hex(descriptors.productId),
				manufacturer,
				product,
				serial,
				connectType,
				state,
				configuration: present.interfaces[0]?.configuration ?? null,
				reason: decisionReason(decision),
				malformed,
				odd,
				descriptorsHash: present.device.descriptorsHash,
				error,
				allowedUntil: until === null ? null : new Date(until).toISOString(),
				functions: decision.functions.map((judged) => functionStatus(present, judged, malformed)),
			},
		];
	});
}

function functionStatus(
	present: PresentDevice,
	judged: JudgedFunction,
	malformed: string | null,
): FunctionStatus {
	const { triple, verdict, configurations, alternate } = judged;
	const bound = present.interfaces.find(
		(item) => item.number === judged.interface && configurations.includes(item.configuration),
	);
	return {
		interface: judged.interface,
		configurations,
		alternate,
		class: triple.class,
		subClass: triple.subClass,
		protocol: triple.protocol,
		className: usbClassName(triple.class),
		action: verdict.action,
		refused: judged.withheld !== null,
		reason: withheldReason(judged, malformed),
		policy: verdict.source === "posture" ? "DefaultPosture" : (verdict.entry?.policy ?? null),
		entry: verdict.entry?.entry.index ?? null,
		driver: bound?.driver ?? null,
	};
}

/** What a device is, which is what was decided as soon as the kernel has done it. Null before it is judged. */
function conditionOf({ pending, present, decision }: Tracked): DeviceCondition | null {
	if (pending) return "pending";
	if (present === null || decision === null) return null;
	const step = nextStep(present, decision);
	if (step === null) return decision.state;
	if (step.kind !== "authorize") return "pending";
	return present.authorized ? "partial" : "refused";
}

/** A root hub is of interest only to an entry that names it. */
function reportable(
	present: PresentDevice,
	decision: Pick<DeviceDecision, "functions">,
): readonly JudgedFunction[] {
	if (present.device.level > 0) return decision.functions;
	return decision.functions.filter(({ verdict }) => verdict.source === "entry");
}

function functionKey({ configuration, interface: number, triple }: JudgedFunction): string {
	return `${configuration} ${number} ${triple.class}/${triple.subClass}/${triple.protocol}`;
}

function hex(id: number): string {
	return id.toString(16).padStart(4, "0");
}
