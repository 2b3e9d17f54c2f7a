/** What /v1/status, /v1/usb/devices and the metrics say about USB. Plain data. */

import type { Posture } from "../config/model.ts";
import type { UsbTriple } from "../policy/device-subject.ts";
import type { Action } from "../policy/model.ts";
import type { HistogramValue } from "./exposition.ts";
import type { EnforcerState } from "./status.ts";

export interface UsbEnforcerState extends EnforcerState {
	/** Where events come from; null while none do. */
	readonly backend: "libudev" | "netlink" | null;
	/** Whether what appears comes up refused. */
	readonly locked: boolean;
	readonly posture: Posture;
	readonly allowlistMode: boolean;
}

export const deviceConditions = ["authorized", "partial", "refused", "pending"] as const;
export type DeviceCondition = (typeof deviceConditions)[number];

export interface FunctionStatus {
	/** bInterfaceNumber; null for the device triple. */
	readonly interface: number | null;
	readonly class: UsbTriple["class"];
	readonly subClass: UsbTriple["subClass"];
	readonly protocol: UsbTriple["protocol"];
	/** KubeArmor's name of the class, or a hexadecimal number. */
	readonly className: string;
	readonly action: Action;
	readonly refused: boolean;
	/** "DefaultPosture" for the posture, null where nothing matched. */
	readonly policy: string | null;
	/** Position in matchDevice; null unless an entry decided. */
	readonly entry: number | null;
	readonly driver: string | null;
}

/** One device as /v1/usb/devices shows it. Strings are the device's own words. */
export interface DeviceStatus {
	readonly port: string;
	readonly level: number;
	/** Four hexadecimal digits, like productId. */
	readonly vendorId: string;
	readonly productId: string;
	readonly manufacturer: string | null;
	readonly product: string | null;
	readonly serial: string | null;
	readonly connectType: string;
	readonly state: DeviceCondition;
	/** Why the device as a whole is refused, or why it is spared; null when neither. */
	readonly reason: string | null;
	readonly malformed: string | null;
	/** Why the last write failed; "" when it did not. */
	readonly error: string;
	/** Until when it is allowed whatever the policies say, RFC 3339; null when it is not. */
	readonly allowedUntil: string | null;
	readonly functions: readonly FunctionStatus[];
}

/** What the metrics need. */
export interface UsbCounts {
	readonly devices: Readonly<Record<DeviceCondition, number>>;
	/** Judged functions. */
	readonly decisions: Readonly<Record<Action, number>>;
	readonly decisionSeconds: HistogramValue;
	readonly rescans: number;
	readonly overflows: number;
	readonly pendingWrites: number;
}

/** Upper bounds in seconds for portward_usb_decision_seconds. */
export const usbDecisionBounds = [
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30,
] as const;
