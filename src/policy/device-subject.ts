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

/** The parsed `descriptors` file. What could not be read is 0 or absent, and `malformed` says why. */
export interface UsbDescriptors {
	readonly device: UsbTriple;
	/** 0..0xffff, like the next two. */
	readonly vendorId: number;
	readonly productId: number;
	readonly bcdDevice: number;
	readonly configurations: readonly UsbConfiguration[];
	/** The first thing wrong with the bytes, in our own words; null when nothing is. */
	readonly malformed: string | null;
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
}
