/**
 * What device policies judge: a USB device as it describes itself. Every value
 * here was chosen by the device's firmware and is hostile until proven dull.
 */

/** bDeviceClass/bDeviceSubClass/bDeviceProtocol or their interface namesakes, each 0..255. */
export interface UsbTriple {
	readonly class: number;
	readonly subClass: number;
	readonly protocol: number;
}

/** One interface descriptor: one altsetting of one interface of one configuration. */
export interface UsbInterface extends UsbTriple {
	/** bInterfaceNumber, 0..255. */
	readonly number: number;
	/** bAlternateSetting, 0..255. */
	readonly alternate: number;
}

export interface UsbConfiguration {
	/** bConfigurationValue, 0..255. */
	readonly value: number;
	/** In the order of the descriptors. */
	readonly interfaces: readonly UsbInterface[];
}

/** The parsed `descriptors` file. What could not be read is 0 or absent, and `malformed` or `odd` says why. */
export interface UsbDescriptors {
	readonly device: UsbTriple;
	/** 0..0xffff, like the next two. */
	readonly vendorId: number;
	readonly productId: number;
	readonly bcdDevice: number;
	readonly configurations: readonly UsbConfiguration[];
	/** Why the bytes can be read in more than one way, in our own words; null when they cannot. */
	readonly malformed: string | null;
	/** What is not as the specification has it, and means nothing for a decision; in our own words, a few at most. */
	readonly odd: readonly string[];
}

/** A device where it is plugged in. */
export interface UsbDevice {
	/** The kernel's name without an interface suffix: `1-4.1`, or `usb1` for a root hub. */
	readonly port: string;
	/** 0 for a root hub, 1 on a root port, one more for every hub. */
	readonly level: number;
	readonly descriptors: UsbDescriptors;
	/** Null when the device has no such string. */
	readonly serial: string | null;
	readonly product: string | null;
	readonly manufacturer: string | null;
	/** As the kernel reports it for the port. */
	readonly connectType: "hotplug" | "hardwired" | "not used" | "unknown";
	/** The name that a device in the same socket has on the other bus (`2-4` for `1-4`); null where the kernel knows none. */
	readonly twin: string | null;
	/** SHA-256 of the `descriptors` file in hexadecimal; null when it was not read. */
	readonly descriptorsHash: string | null;
}
