/** Random devices of several configurations, the same in every run, and what an oracle makes of them. */

import {
	configuration,
	deviceDescriptor,
	diskInterface,
	interfaceDescriptor,
	keyboardInterface,
} from "../lab/descriptors.ts";
import type { HostileDevice } from "../lab/hostile.ts";
import * as zoo from "../lab/zoo.ts";

/** Class codes: by configuration, by interface number, by altsetting. */
export interface Shape {
	readonly configurations: readonly (readonly (readonly number[])[])[];
	readonly device: HostileDevice;
}

const [hid, disk, vendor] = [3, 8, 0xff] as const;

function part(code: number, number: number, altsetting: number, address: number): Uint8Array {
	if (code === hid) return keyboardInterface(number, altsetting, 0x80 | address);
	if (code === disk) return diskInterface(number, altsetting, address);
	return interfaceDescriptor({ number, altsetting, class: code, subClass: 1, protocol: 1 });
}

/** A linear congruential generator: what fails fails again. */
function randomNumbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

export function manyDevices(count: number): Shape[] {
	const random = randomNumbers(10);
	const some = () => [hid, disk, vendor][random(3)] ?? vendor;
	return Array.from({ length: count }, () => {
		const configurations = Array.from({ length: 1 + random(3) }, () =>
			Array.from({ length: 1 + random(3) }, () =>
				Array.from({ length: random(4) === 0 ? 2 : 1 }, () => some()),
			),
		);
		const bytes = configurations.map((interfaces, index) => {
			let address = 0;
			const parts = interfaces.flatMap((altsettings, number) => {
				// Altsettings share their interface's endpoints.
				address += 1;
				return altsettings.map((code, altsetting) => part(code, number, altsetting, address));
			});
			return configuration(parts, { value: index + 1 });
		});
		const device = zoo.keyboard({
			device: deviceDescriptor({ product: 0x0200, configurations: configurations.length }),
			configurations: bytes,
		});
		return { configurations, device };
	});
}

/** What a Block of one class refuses: interfaces as "configuration.number", or the whole device. */
export function refusedIn(
	{ configurations }: Shape,
	code: number,
): { readonly whole: boolean; readonly refused: ReadonlySet<string> } {
	const refused = new Set<string>();
	let useful = false;
	for (const [index, interfaces] of configurations.entries()) {
		for (const [number, altsettings] of interfaces.entries()) {
			if (altsettings.includes(code)) refused.add(`${index + 1}.${number}`);
			else useful = true;
		}
	}
	return { whole: refused.size > 0 && !useful, refused };
}
