/** What is plugged into the fake kernel, and how it describes itself. */

export interface FakeInterface {
	readonly number?: number;
	readonly alternate?: number;
	/** class, subclass, protocol */
	readonly triple: readonly [number, number, number];
}

export interface FakeDevice {
	readonly triple?: readonly [number, number, number];
	readonly vendor?: number;
	readonly product?: number;
	/** Each a list of interfaces. */
	readonly configurations: readonly (readonly FakeInterface[])[];
	readonly strings?: { readonly serial?: string; readonly product?: string; readonly manufacturer?: string };
	/** In place of what the above would give. */
	readonly descriptors?: Uint8Array;
	readonly connectType?: string;
}

/** The `descriptors` file of a device. */
export function descriptorsOf(device: FakeDevice): Uint8Array {
	if (device.descriptors) return device.descriptors;
	const { triple = [0, 0, 0], vendor = 0x1d6b, product = 0x0104, configurations } = device;
	const head = [
		18,
		1,
		0,
		2,
		...triple,
		64,
		vendor & 255,
		vendor >> 8,
		product & 255,
		product >> 8,
		0,
		1,
		0,
		0,
		0,
		configurations.length,
	];
	const bodies = configurations.map((interfaces, index) => {
		const parts = interfaces.flatMap(({ number = 0, alternate = 0, triple: own }) => [
			9,
			4,
			number,
			alternate,
			0,
			...own,
			0,
		]);
		const total = 9 + parts.length;
		const count = new Set(interfaces.map(({ number = 0 }) => number)).size;
		return [9, 2, total & 255, total >> 8, count, index + 1, 0, 0x80, 50, ...parts];
	});
	return Uint8Array.from([...head, ...bodies.flat()]);
}

const drivers: Readonly<Record<number, string>> = {
	1: "snd-usb-audio",
	3: "usbhid",
	8: "usb-storage",
	9: "hub",
	14: "uvcvideo",
};

/** The driver that takes an interface whose first altsetting has this class. */
export function fakeDriver(code: number): string | undefined {
	return drivers[code];
}
