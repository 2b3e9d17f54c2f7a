/**
 * The typed meaning of the `device` block of a host policy. Plain data: it
 * crosses Worker boundaries. The strings in it come from policy files only.
 */

import type { Place } from "../../base/diagnostic.ts";
import type { Action, NodeSelector } from "../../base/model.ts";
import { PartType } from "../../document/kind.ts";

/** As the kernel reports it for a port (Documentation/ABI/testing/sysfs-bus-usb, connect_type). */
export type ConnectType = "hotplug" | "hardwired" | "not used" | "unknown";

/** What one entry matches: every attribute that is not null must hold. */
export interface DeviceMatch {
	/** USB class code 1..255; null: ALL, which is every class but HUB. */
	readonly class: number | null;
	/** 0..255; 0 matches 0 only. */
	readonly subClass: number | null;
	/** 0..255; 0 matches 0 only. */
	readonly protocol: number | null;
	/** Port hops from the controller, 1..255: 1 is a root port. */
	readonly level: number | null;
	/** 0..0xffff. */
	readonly vendorId: number | null;
	/** 0..0xffff. */
	readonly productId: number | null;
	/** Exact strings, sorted, without duplicates, never empty. */
	readonly serial: readonly string[] | null;
	readonly product: readonly string[] | null;
	readonly manufacturer: readonly string[] | null;
	/**
	 * A glob over the port chain, such as `1-4.*`: `*` is any run of characters (dots too), `?` any one. It also matches
	 * the port's twin, which is the same socket on the other bus of a USB 3 controller or hub.
	 */
	readonly port: string | null;
	readonly connectType: ConnectType | null;
	/** SHA-256 of the `descriptors` file, 64 hexadecimal digits in lower case; sorted, without duplicates, never empty. */
	readonly descriptorsHash: readonly string[] | null;
	/** Class codes that the device must not show anywhere; sorted, without duplicates, never empty. Allow entries only. */
	readonly unlessAlso: readonly number[] | null;
}

/** One element of `matchDevice`, with the defaults of `device` and `spec` applied. */
export interface DeviceEntry {
	/** Position in the list, from 0. */
	readonly index: number;
	readonly place: Place;
	readonly action: Action;
	/** 1..10. */
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
	readonly match: DeviceMatch;
}

/** A valid KubeArmorHostPolicy document, as far as it concerns devices. */
export interface HostDevicePolicy {
	readonly kind: "KubeArmorHostPolicy";
	readonly name: string;
	readonly place: Place;
	readonly nodeSelector: NodeSelector;
	/** spec.device.action, else spec.action, else Block. */
	readonly action: Action;
	/** See PolicyHead. */
	readonly staged?: true;
	readonly entries: readonly DeviceEntry[];
}

/** What a policy says about devices. */
export const devicePart = new PartType<HostDevicePolicy>("usb");
