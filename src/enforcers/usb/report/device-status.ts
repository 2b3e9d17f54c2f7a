/** What /v1/status, /v1/usb/devices and the metrics say about USB. Plain data. */

import type { Action } from "../../../base/model.ts";
import type { Posture } from "../../../config/model.ts";
import type { EnforcerState } from "../../../report/contribution.ts";
import type { UsbTriple } from "../subject.ts";

const deviceConditions = ["authorized", "partial", "refused", "pending"] as const;
export type DeviceCondition = (typeof deviceConditions)[number];

/** What /v1/status says under `enforcers.usb`. */
export interface UsbEnforcerState extends EnforcerState {
	/** Where events come from; null while none do. */
	readonly backend: "libudev" | "netlink" | null;
	/** Whether what appears comes up refused. */
	readonly locked: boolean;
	readonly posture: Posture;
	readonly allowlistMode: boolean;
}

export interface FunctionStatus {
	/** bInterfaceNumber; null for the device triple. */
	readonly interface: number | null;
	/** bConfigurationValue of every configuration that has it; none for the device triple. */
	readonly configurations: readonly number[];
	/** The first bAlternateSetting that shows it; null for the device triple. */
	readonly alternate: number | null;
	readonly class: UsbTriple["class"];
	readonly subClass: UsbTriple["subClass"];
	readonly protocol: UsbTriple["protocol"];
	/** KubeArmor's name of the class, or a hexadecimal number. */
	readonly className: string;
	readonly action: Action;
	readonly refused: boolean;
	/** Why it is refused, in words; "" when it is not. */
	readonly reason: string;
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
	/** bConfigurationValue of the configuration in force; null while there is none. */
	readonly configuration: number | null;
	/** Why the device as a whole is refused, or what spares it, in words; null when neither. */
	readonly reason: string | null;
	/** Why the descriptors can be read in two ways; null when they cannot. */
	readonly malformed: string | null;
	/** What else is not as it should be with the descriptors. */
	readonly odd: readonly string[];
	/** SHA-256 of the `descriptors` file, which names devices without a serial number. */
	readonly descriptorsHash: string | null;
	/** Why the last write failed; "" when it did not. */
	readonly error: string;
	/** Until when it is allowed whatever the policies say, RFC 3339; null when it is not. */
	readonly allowedUntil: string | null;
	readonly functions: readonly FunctionStatus[];
}
