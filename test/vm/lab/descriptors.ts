/** Descriptors as bytes (USB 2.0, chapter 9.6), correct unless a test says otherwise. */

export interface DeviceDescriptor {
	readonly class?: number;
	readonly subClass?: number;
	readonly protocol?: number;
	readonly vendor?: number;
	readonly product?: number;
	/** Indexes of strings; 0 for none. */
	readonly strings?: { readonly manufacturer?: number; readonly product?: number; readonly serial?: number };
	readonly configurations?: number;
	/** BCD, 0x0200. */
	readonly usb?: number;
}

export interface InterfaceDescriptor {
	readonly number: number;
	readonly altsetting?: number;
	readonly class: number;
	readonly subClass: number;
	readonly protocol: number;
	readonly endpoints?: readonly Uint8Array[];
	/** Class descriptors that follow the interface's own, such as HID's. */
	readonly extra?: readonly Uint8Array[];
}

const low = (value: number) => value & 255;
const high = (value: number) => (value >> 8) & 255;

/** Bytes as they are. */
export const bytes = (...values: readonly number[]) => Uint8Array.from(values);

export function join(...parts: readonly Uint8Array[]): Uint8Array {
	return new Uint8Array(Buffer.concat(parts));
}

export function deviceDescriptor(options: DeviceDescriptor = {}): Uint8Array {
	const { usb = 0x0200, vendor = 0x1d6b, product = 0x0104 } = options;
	// biome-ignore format: the fields in their order
	return Uint8Array.of(
		18, 1, low(usb), high(usb), options.class ?? 0, options.subClass ?? 0, options.protocol ?? 0, 64,
		low(vendor), high(vendor), low(product), high(product), 0, 1,
		options.strings?.manufacturer ?? 0, options.strings?.product ?? 0, options.strings?.serial ?? 0,
		options.configurations ?? 1,
	);
}

/** `kind`: 2 bulk, 3 interrupt; the address has bit 7 set for IN. */
export function endpoint(
	address: number,
	kind: 2 | 3,
	size = kind === 2 ? 512 : 8,
	interval = 4,
): Uint8Array {
	return Uint8Array.of(7, 5, address, kind, low(size), high(size), interval);
}

/** HID's class descriptor, which announces a report descriptor of `length` bytes (HID 1.11, 6.2.1). */
export function hidDescriptor(length: number): Uint8Array {
	return Uint8Array.of(9, 0x21, 0x11, 1, 0, 1, 0x22, low(length), high(length));
}

export function interfaceDescriptor(options: InterfaceDescriptor): Uint8Array {
	const endpoints = options.endpoints ?? [];
	// biome-ignore format: the fields in their order
	const own = Uint8Array.of(
		9, 4, options.number, options.altsetting ?? 0, endpoints.length, options.class, options.subClass, options.protocol, 0,
	);
	return join(own, ...(options.extra ?? []), ...endpoints);
}

/** A configuration with what belongs to it; `interfaces` counts interface numbers, not altsettings. */
export function configuration(
	parts: readonly Uint8Array[],
	options: { value?: number; interfaces?: number } = {},
): Uint8Array {
	const body = join(...parts);
	const numbers = new Set<number>();
	for (let at = 0; at + 2 < body.length && (body[at] ?? 0) > 0; at += body[at] ?? 0)
		if (body[at + 1] === 4) numbers.add(body[at + 2] ?? 0);
	const total = body.length + 9;
	const head = [
		9,
		2,
		low(total),
		high(total),
		options.interfaces ?? numbers.size,
		options.value ?? 1,
		0,
		0x80,
		50,
	];
	return join(Uint8Array.from(head), body);
}

/** A string descriptor of any text, control characters included. */
export function stringDescriptor(text: string): Uint8Array {
	const units = Buffer.from(text, "utf16le").subarray(0, 252);
	return join(Uint8Array.of(units.length + 2, 3), units);
}

/** Modifiers, a reserved byte and six keys (HID 1.11, appendix B.1, without the LEDs). */
export const keyboardReport = Uint8Array.from(
	Buffer.from(
		"05010906a101050719e029e7150025017501950881029501750881019506750815002565190029658100c0",
		"hex",
	),
);

/** Three buttons, X and Y (HID 1.11, appendix B.2). */
export const mouseReport = Uint8Array.from(
	Buffer.from(
		"05010902a1010901a100050919012903150025019503750181029501750581010501093009311581257f750895028106c0c0",
		"hex",
	),
);

/** A boot keyboard's interface, with its key presses on IN endpoint `address`. */
export function keyboardInterface(number: number, altsetting = 0, address = 0x81): Uint8Array {
	const extra = [hidDescriptor(keyboardReport.length)];
	return interfaceDescriptor({
		number,
		altsetting,
		class: 3,
		subClass: 1,
		protocol: 1,
		extra,
		endpoints: [endpoint(address, 3)],
	});
}

/** A bulk-only disk's interface on IN and OUT endpoints of the given number. */
export function diskInterface(number: number, altsetting = 0, endpoints = 1): Uint8Array {
	const pair = [endpoint(0x80 | endpoints, 2), endpoint(endpoints, 2)];
	return interfaceDescriptor({ number, altsetting, class: 8, subClass: 6, protocol: 0x50, endpoints: pair });
}
