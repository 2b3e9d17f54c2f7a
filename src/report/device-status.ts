/** What /v1/status, /v1/usb/devices and the metrics say about USB. Plain data. */

import type { UsbTriple } from "../policy/device-subject.ts";
import type { Action } from "../policy/model.ts";

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
