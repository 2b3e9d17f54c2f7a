import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { descriptorLimits, parseUsbDescriptors } from "../../src/observe/usb-descriptors.ts";
import { bytesOf, samples } from "../fixtures/usb-descriptors.ts";

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

	test("a wrong interface count is no matter: the kernel counts for itself", () => {
		const bytes = bytesOf(samples.keyboard);
		bytes[22] = 1;
		expect(parseUsbDescriptors(bytes)).toEqual(parseUsbDescriptors(bytesOf(samples.keyboard)));
	});

	test("every sample is sound", () => {
		for (const sample of Object.values(samples)) {
			expect(parseUsbDescriptors(bytesOf(sample)).malformed).toBeNull();
		}
	});
});

describe("malformed descriptors (V24)", () => {
	const change = (edit: (bytes: number[]) => void) => {
		const bytes = [...bytesOf(samples.badUsb)];
		edit(bytes);
		return parseUsbDescriptors(Uint8Array.from(bytes));
	};
	const storage = [{ number: 0, alternate: 0, class: 8, subClass: 6, protocol: 80 }];

	test("keep what was seen before a descriptor of length 0", () => {
		const parsed = change((bytes) => {
			bytes[50] = 0;
		});
		expect(parsed.malformed).toContain("a descriptor of length 0");
		expect(parsed.configurations[0]?.interfaces).toEqual(storage);
	});

	test("keep what was seen before a length that exceeds the rest", () => {
		const parsed = change((bytes) => {
			bytes[50] = 255;
		});
		expect(parsed.malformed).toContain("a descriptor of length 255");
		expect(parsed.configurations[0]?.interfaces).toEqual(storage);
	});

	test("skip an interface descriptor that is too short, and go on", () => {
		const parsed = change((bytes) => {
			bytes[27] = 8;
			bytes.splice(35, 1);
			bytes[20] = (bytes[20] ?? 0) - 1;
		});
		expect(parsed.malformed).toContain("an interface descriptor of length 8");
		expect(parsed.configurations[0]?.interfaces).toMatchObject([{ class: 3 }]);
	});

	test("a total length that is too long is the trace of the kernel's cut", () => {
		const parsed = change((bytes) => {
			bytes.splice(50);
		});
		expect(parsed.malformed).toContain("total length of configuration 1");
		expect(parsed.configurations[0]?.interfaces).toEqual(storage);
	});

	test("a total length that is too short hides no interface", () => {
		const parsed = change((bytes) => {
			bytes[20] = 9;
		});
		expect(parsed.malformed).toContain("total length of configuration 1");
		expect(parsed.configurations[0]?.interfaces).toHaveLength(2);
	});

	test("a configuration inside another one hides no interface", () => {
		const parsed = change((bytes) => {
			bytes.splice(50, 0, 9, 2, 9, 0, 0, 2, 0, 0, 0);
			bytes[20] = (bytes[20] ?? 0) + 9;
		});
		expect(parsed.malformed).not.toBeNull();
		expect(parsed.configurations.flatMap(({ interfaces }) => interfaces)).toHaveLength(2);
	});

	test("fewer configurations than the device says", () => {
		const parsed = change((bytes) => {
			bytes[17] = 2;
		});
		expect(parsed.malformed).toBe("1 configurations where the device says 2");
	});

	test("a cut anywhere is noticed", () => {
		const whole = bytesOf(samples.webcam);
		for (let length = 0; length < whole.length; length++) {
			const parsed = parseUsbDescriptors(whole.subarray(0, length));
			expect(parsed.malformed).not.toBeNull();
		}
		expect(parseUsbDescriptors(new Uint8Array())).toMatchObject({ configurations: [], vendorId: 0 });
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

	test("whatever is not malformed has every interface that a plain walk finds", () => {
		fc.assert(
			fc.property(mutation, ({ sample, edits }) => {
				const bytes = bytesOf(sample);
				for (const { at, value } of edits) bytes[at % bytes.length] = value;
				const parsed = parseUsbDescriptors(bytes);
				let walked = 0;
				for (let at = 18; at < bytes.length; at += Math.max(bytes[at] ?? 1, 1)) {
					if (bytes[at + 1] === 4) walked++;
				}
				if (parsed.malformed === null) {
					expect(parsed.configurations.flatMap(({ interfaces }) => interfaces)).toHaveLength(walked);
				}
			}),
		);
	});
});
