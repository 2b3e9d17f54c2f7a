/**
 * Adds up the devices that come, within bounds: a device can change what it says of itself as often as it likes.
 * Time comes from outside, and may jump.
 */

import type { UsbDevice } from "../subject.ts";
import type { KeptDevice, KeptHistory } from "./kept-history.ts";
import type { SeenDevice, SeenDevices, SeenVerdict } from "./seen-device.ts";

/** Interfaces and judged functions of all devices that are kept, and so much for each device beside them. */
export const historyLimits = { weight: 32_768, device: 16 } as const;

interface Entry extends Omit<SeenDevice, "present"> {
	/** Which one of its kind came last; tells a device that came again from one that never left. */
	readonly instance: string;
}

export class DeviceHistory {
	readonly #boot: string;
	/** By identity. */
	readonly #entries = new Map<string, Entry>();
	/** The identities of the devices that are there, by instance. */
	readonly #present = new Map<string, string>();
	readonly #weights = new Map<string, number>();
	#weight = 0;
	#since: number;
	#lost = 0;

	/** `boot` names this run of the kernel: in another one every instance is another. */
	constructor(boot: string, now: number, kept: KeptHistory | null = null) {
		this.#boot = boot;
		this.#since = Math.min(kept?.since ?? now, now);
		this.#lost = kept?.lost ?? 0;
		for (const device of kept?.devices ?? []) {
			const instance = kept?.boot === boot ? device.instance : "";
			this.#put(identityOf(device.device), { ...device, instance });
		}
	}

	/** Takes note of a device that is there, and what was decided. False where that is known. */
	settled(instance: string, device: UsbDevice, verdict: SeenVerdict, now: number): boolean {
		if (device.level === 0) return false;
		const identity = identityOf(device);
		const known = this.#entries.get(identity);
		this.#present.set(instance, identity);
		const came = known?.instance !== instance;
		if (known !== undefined && !came && JSON.stringify(known.verdict) === JSON.stringify(verdict))
			return false;
		this.#put(identity, {
			device,
			verdict,
			instance,
			count: (known?.count ?? 0) + (came ? 1 : 0),
			firstSeen: Math.min(known?.firstSeen ?? now, now),
			lastSeen: now,
		});
		return true;
	}

	/** False where nothing was known of it. */
	left(instance: string, now: number): boolean {
		const identity = this.#present.get(instance);
		if (identity === undefined) return false;
		this.#present.delete(instance);
		const known = this.#entries.get(identity);
		if (known === undefined) return false;
		this.#entries.set(identity, { ...known, ...until(known, now) });
		return true;
	}

	seen(now: number): SeenDevices {
		const devices = this.#all(now).map(({ instance: _, ...rest }) => rest);
		devices.sort(
			(a, b) => b.lastSeen - a.lastSeen || compareText(identityOf(a.device), identityOf(b.device)),
		);
		return { since: Math.min(this.#since, now), devices, lost: this.#lost };
	}

	/** What is to outlive the process. */
	kept(now: number): KeptHistory {
		const devices = this.#all(now).map(({ present: _, ...rest }): KeptDevice => rest);
		return { version: 1, boot: this.#boot, since: Math.min(this.#since, now), lost: this.#lost, devices };
	}

	#all(now: number): (Entry & { readonly present: boolean })[] {
		const there = new Set(this.#present.values());
		return [...this.#entries].map(([identity, entry]) => {
			const present = there.has(identity);
			return present ? { ...entry, ...until(entry, now), present } : { ...entry, present };
		});
	}

	#put(identity: string, entry: Entry): void {
		this.#drop(identity);
		this.#entries.set(identity, entry);
		this.#weigh(entry, 1);
		while (this.#weight > historyLimits.weight && this.#entries.size > 1) {
			const victim = this.#leastMissed(identity);
			this.#drop(victim);
			this.#lost += 1;
		}
	}

	#drop(identity: string): void {
		const entry = this.#entries.get(identity);
		if (entry === undefined) return;
		this.#entries.delete(identity);
		this.#weigh(entry, -1);
	}

	#weigh(entry: Entry, sign: 1 | -1): void {
		const weight = sign * weightOf(entry);
		const socket = socketOf(entry.device);
		this.#weight += weight;
		this.#weights.set(socket, (this.#weights.get(socket) ?? 0) + weight);
	}

	/**
	 * Behind the root port that fills most, as one hostile device must not push out what came elsewhere: the one that
	 * came the fewest times, and of these the one that was seen first. Never the one that came just now.
	 */
	#leastMissed(newest: string): string {
		const others = [...this.#entries].filter(([identity]) => identity !== newest);
		const fullest = others.reduce(
			(most, [, { device }]) => Math.max(most, this.#weights.get(socketOf(device)) ?? 0),
			0,
		);
		const [first, ...rest] = others.filter(
			([, { device }]) => this.#weights.get(socketOf(device)) === fullest,
		);
		if (first === undefined) throw new Error("nothing to drop");
		return rest.reduce(
			(least, item) =>
				(item[1].count - least[1].count || item[1].lastSeen - least[1].lastSeen) < 0 ? item : least,
			first,
		)[0];
	}
}

function until({ firstSeen }: Entry, now: number): Pick<Entry, "firstSeen" | "lastSeen"> {
	return { firstSeen: Math.min(firstSeen, now), lastSeen: now };
}

/** What looks the same to every policy. */
function identityOf({
	port,
	serial,
	descriptorsHash,
	descriptors,
	product,
	manufacturer,
}: UsbDevice): string {
	const { vendorId, productId } = descriptors;
	return JSON.stringify([port, vendorId, productId, serial, descriptorsHash, product, manufacturer]);
}

/** The root port that everything behind it came through. */
function socketOf({ port }: UsbDevice): string {
	return port.split(".")[0] ?? port;
}

function weightOf({ device, verdict }: Entry): number {
	const interfaces = device.descriptors.configurations.reduce((sum, item) => sum + item.interfaces.length, 0);
	return historyLimits.device + interfaces + verdict.functions.length;
}

function compareText(a: string, b: string): number {
	return a < b ? -1 : Number(a > b);
}
