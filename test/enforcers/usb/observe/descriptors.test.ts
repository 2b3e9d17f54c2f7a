import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { descriptorLimits, parseUsbDescriptors } from "../../../../src/enforcers/usb/observe/descriptors.ts";
import { bytesOf, samples } from "../../../fixtures/usb-descriptors.ts";

const triples = (name: keyof typeof samples) =>
	parseUsbDescriptors(bytesOf(samples[name])).configurations.map(({ value, interfaces }) => [
		value,
		...interfaces.map((item) =>
			[item.number, item.alternate, item.class, item.subClass, item.protocol].join(" "),
		),
	]);

describe("sound descriptors", () => {
	test("a keyboard", () => {
		expect(parseUsbDescriptors(bytesOf(samples.keyboard))).toEqual({
			device: { class: 0, subClass: 0, protocol: 0 },
			vendorId: 0x046d,
			productId: 0xc31c,
			bcdDevice: 0x4920,
			configurations: [
				{
					value: 1,
					interfaces: [
						{ number: 0, alternate: 0, class: 3, subClass: 1, protocol: 1 },
						{ number: 1, alternate: 0, class: 3, subClass: 0, protocol: 0 },
					],
				},
			],
			malformed: null,
			odd: [],
		});
	});

	test("altsettings of one interface", () => {
		expect(triples("uasStick")).toEqual([[1, "0 0 8 6 80", "0 1 8 6 98"]]);
		expect(triples("hub")).toEqual([[1, "0 0 9 0 1", "0 1 9 0 2"]]);
		expect(triples("webcam")[0]?.length).toBe(1 + 1 + 13 + 1);
	});

	test("several configurations", () => {
		expect(triples("twoConfigurations")).toEqual([
			[1, "0 0 8 6 80"],
			[2, "0 0 3 1 1"],
		]);
	});

	test("an interface descriptor longer than the standard's is one all the same (V25)", () => {
		const bytes = bytesOf(samples.mouse);
		const longer = [...bytes.subarray(0, 36), 0, 0, ...bytes.subarray(36)];
		longer[27] = 11;
		longer[20] = (bytes[20] ?? 0) + 2;
		const parsed = parseUsbDescriptors(Uint8Array.from(longer));
		expect(parsed.malformed).toBeNull();
		expect(parsed.configurations[0]?.interfaces).toHaveLength(1);
	});

	test("a wrong interface count is said, and no matter: the kernel counts for itself", () => {
		const bytes = bytesOf(samples.keyboard);
		bytes[22] = 1;
		expect(parseUsbDescriptors(bytes)).toEqual({
			...parseUsbDescriptors(bytesOf(samples.keyboard)),
			odd: ["configuration 1 says that it has 1 interfaces and has 2"],
		});
	});

	test("every sample is sound", () => {
		for (const sample of Object.values(samples)) {
			const { malformed, odd } = parseUsbDescriptors(bytesOf(sample));
			expect([malformed, odd]).toEqual([null, []]);
		}
	});
});

/** "odd" is said, and means nothing; "malformed" can be read in two ways. */
describe("descriptors that are not as the specification has them (V24)", () => {
	const change = (edit: (bytes: number[]) => void) => {
		const bytes = [...bytesOf(samples.badUsb)];
		edit(bytes);
		return parseUsbDescriptors(Uint8Array.from(bytes));
	};
	const storage = [{ number: 0, alternate: 0, class: 8, subClass: 6, protocol: 80 }];

	test.each([0, 255])("the kernel stops at a descriptor of length %i, and so does this", (length) => {
		const parsed = change((bytes) => {
			bytes[50] = length;
		});
		expect(parsed.malformed).toBeNull();
		expect(parsed.odd[0]).toContain(`a descriptor of length ${length}`);
		expect(parsed.configurations[0]?.interfaces).toEqual(storage);
	});

	test("an interface descriptor that is too short is skipped", () => {
		const parsed = change((bytes) => {
			bytes[27] = 8;
			bytes.splice(35, 1);
			bytes[20] = (bytes[20] ?? 0) - 1;
		});
		expect(parsed.malformed).toBeNull();
		expect(parsed.odd[0]).toContain("an interface descriptor of length 8");
		expect(parsed.configurations[0]?.interfaces).toMatchObject([{ class: 3 }]);
	});

	test("a total length that is too long is the trace of the kernel's cut", () => {
		const parsed = change((bytes) => {
			bytes.splice(50);
		});
		expect(parsed.malformed).toBeNull();
		expect(parsed.odd[0]).toMatch(/^configuration 1 says that it is \d+ bytes longer than it is$/);
		expect(parsed.configurations[0]?.interfaces).toEqual(storage);
	});

	test("a total length that is too short hides no interface", () => {
		const parsed = change((bytes) => {
			bytes[20] = 9;
		});
		expect(parsed.malformed).toBeNull();
		expect(parsed.odd[0]).toContain("bytes shorter than it is");
		expect(parsed.configurations[0]?.interfaces).toHaveLength(2);
	});

	test("a configuration inside another one hides no interface, and leaves two readings", () => {
		const parsed = change((bytes) => {
			bytes.splice(50, 0, 9, 2, 9, 0, 0, 2, 0, 0, 0);
			bytes[20] = (bytes[20] ?? 0) + 9;
		});
		expect(parsed.malformed).toBe("2 configuration descriptors where the device has 1 configurations");
		expect(parsed.configurations.flatMap(({ interfaces }) => interfaces)).toHaveLength(2);
	});

	test("fewer configurations than the device has", () => {
		const parsed = change((bytes) => {
			bytes[17] = 2;
		});
		expect(parsed.malformed).toBe("1 configuration descriptors where the device has 2 configurations");
	});

	test("what the kernel would know by one name leaves two readings, unless it is the same", () => {
		const head = bytesOf(samples.keyboard).subarray(0, 18);
		const file = (...configurations: number[][]) => {
			const bytes = Uint8Array.from([...head, ...configurations.flat()]);
			bytes[17] = configurations.length;
			return parseUsbDescriptors(bytes);
		};
		const one = (value: number, ...parts: number[][]) => [
			...[9, 2, 9 + 9 * parts.length, 0, 1, value, 0, 0x80, 50],
			...parts.flat(),
		];
		const disk = [9, 4, 0, 0, 0, 8, 6, 80, 0];
		const keys = [9, 4, 0, 0, 0, 3, 1, 1, 0];
		expect(file(one(1, disk), one(1, keys)).malformed).toBe("two configurations have the number 1");
		expect(file(one(1, disk, keys)).malformed).toBe(
			"configuration 1 describes altsetting 0 of interface 0 twice, and differently",
		);
		const twice = file(one(1, disk, disk));
		expect([twice.malformed, twice.odd]).toEqual([
			null,
			["configuration 1 describes altsetting 0 of interface 0 twice"],
		]);
		expect(file(one(1, disk), one(2, keys))).toMatchObject({ malformed: null, odd: [] });
	});

	test("a cut anywhere is noticed", () => {
		const whole = bytesOf(samples.webcam);
		for (let length = 0; length < whole.length; length++) {
			const { malformed, odd } = parseUsbDescriptors(whole.subarray(0, length));
			expect(malformed !== null || odd.length > 0).toBe(true);
		}
		expect(parseUsbDescriptors(new Uint8Array())).toMatchObject({ configurations: [], vendorId: 0 });
	});

	test("oddities without end are told a few times", () => {
		const parsed = change((bytes) => {
			for (let index = 0; index < 50; index++) bytes.push(8, 4, 0, 0, 0, 0, 0, index);
		});
		expect(parsed.odd.length).toBeLessThanOrEqual(4);
	});

	test("a file that starts with something else", () => {
		const parsed = change((bytes) => {
			bytes[1] = 2;
		});
		expect(parsed.malformed).toBe("the file does not start with a device descriptor");
	});

	test("a flood of interfaces is bounded", () => {
		const one = [9, 4, 0, 0, 0, 3, 1, 1, 0];
		const flood = Array.from({ length: 7000 }, () => one).flat();
		const total = flood.length + 9;
		const bytes = [
			...bytesOf(samples.keyboard).subarray(0, 18),
			...[9, 2, total & 255, total >> 8, 1, 1, 0, 0, 0],
			...flood,
		];
		const parsed = parseUsbDescriptors(Uint8Array.from(bytes));
		expect(parsed.malformed).toContain("more than 1024 interface descriptors");
		expect(parsed.configurations[0]?.interfaces).toHaveLength(descriptorLimits.interfaces);
	});
});

describe("mutated real descriptors", () => {
	const mutation = fc.record({
		sample: fc.constantFrom(...Object.values(samples)),
		edits: fc.array(fc.record({ at: fc.nat(400), value: fc.nat(255) }), { maxLength: 12 }),
		cut: fc.option(fc.nat(400)),
		tail: fc.uint8Array({ maxLength: 24 }),
	});

	test("never throw, never reach past the end, and keep their bounds", () => {
		fc.assert(
			fc.property(mutation, ({ sample, edits, cut, tail }) => {
				const bytes = Uint8Array.from([...bytesOf(sample).subarray(0, cut ?? undefined), ...tail]);
				for (const { at, value } of edits) if (bytes.length > 0) bytes[at % bytes.length] = value;
				let reads = 0;
				const watched = new Proxy(bytes, {
					get: (target, key) => {
						if (typeof key === "string" && /^\d+$/.test(key)) {
							if (Number(key) >= target.length) throw new Error(`read past the end: ${key}`);
							reads++;
						}
						return Reflect.get(target, key, target);
					},
				});
				const parsed = parseUsbDescriptors(watched);
				expect(reads).toBeLessThanOrEqual(20 + 4 * bytes.length);
				for (const item of parsed.configurations.flatMap(({ interfaces }) => interfaces)) {
					expect(Object.values(item).every((value) => value >= 0 && value <= 255)).toBe(true);
				}
			}),
			{ numRuns: 2000 },
		);
	});

	/** What usb_parse_configuration of the kernel does with the bytes of one configuration, and no more. */
	const kernelWalk = (bytes: Uint8Array): number => {
		let walked = 0;
		for (let at = 18; at + 2 <= bytes.length; at += bytes[at] ?? 0) {
			const length = bytes[at] ?? 0;
			if (length < 2 || at + length > bytes.length) break;
			if (bytes[at + 1] === 4 && length >= 9) walked++;
		}
		return walked;
	};

	test("whatever is not malformed has every interface that the kernel finds", () => {
		fc.assert(
			fc.property(mutation, ({ sample, edits }) => {
				const bytes = bytesOf(sample);
				for (const { at, value } of edits) bytes[at % bytes.length] = value;
				const parsed = parseUsbDescriptors(bytes);
				if (parsed.malformed === null) {
					expect(parsed.configurations.flatMap(({ interfaces }) => interfaces)).toHaveLength(
						kernelWalk(bytes),
					);
				}
			}),
		);
	});
});
