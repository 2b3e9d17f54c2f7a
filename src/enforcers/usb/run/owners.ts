/**
 * Whose refusal it is when something is not authorized. The lock's is ours, and is lifted once; one that comes after
 * something was authorized, and that we did not write, is another program's or an administrator's, and stays until they
 * or `portward usb allow` end it. Devices and interfaces alike, each by its instance.
 */

import type { DeviceDecision } from "../compile/decide.ts";
import { interfacesRefusedFor, type Outside, refusedFor } from "../compile/overlay.ts";
import type { PresentDevice } from "../observe/devices.ts";
import type { UsbMemory, UsbMemoryValue } from "./memory.ts";

type Owner = UsbMemoryValue["foreign"][string];

export interface OwnersOptions {
	readonly memory: UsbMemory;
	/** Called when what is to be kept has changed. */
	readonly changed: () => void;
}

export class UsbOwners {
	readonly #memory: UsbMemory;
	readonly #changed: () => void;
	readonly #open: Set<string>;
	readonly #foreign: Map<string, Owner>;
	/** What we refused, or let go of, and that has not been authorized since. */
	readonly #ours = new Set<string>();

	constructor({ memory, changed }: OwnersOptions) {
		this.#memory = memory;
		this.#changed = changed;
		this.#open = new Set(memory.value.open);
		this.#foreign = new Map(Object.entries(memory.value.foreign));
	}

	/** What outlives the process. */
	get kept(): Pick<UsbMemoryValue, "open" | "foreign"> {
		return { open: [...this.#open], foreign: Object.fromEntries(this.#foreign) };
	}

	/** Takes note of what sysfs shows. True when somebody refused something just now. */
	observe(present: PresentDevice): boolean {
		const device = this.#look(present.instance, present.authorized, present.opens.devices);
		let fresh = device;
		for (const { instance, authorized } of present.interfaces)
			fresh = this.#look(instance, authorized, present.opens.interfaces) || fresh;
		return fresh;
	}

	/** What was refused before there was a lock. */
	foundRefused(instances: readonly string[]): void {
		for (const instance of instances) this.#refused(instance, "somebody-else");
	}

	/**
	 * A write of ours is to refuse these. True where what is kept says that one is open: it must say otherwise before
	 * that write.
	 */
	refusing(instances: readonly string[]): boolean {
		for (const instance of instances) {
			this.#ours.add(instance);
			if (this.#open.delete(instance)) this.#changed();
		}
		return instances.some((instance) => this.#memory.value.open.includes(instance));
	}

	/** A write of ours has authorized the device: what refuses it from now on is not the lock. */
	given(instance: string): void {
		this.#opened(instance);
	}

	/** Refuses a device by hand until `end`. */
	block(instance: string): void {
		this.#refused(instance, "by-hand");
	}

	/** Ends every refusal of a device and its interfaces that is not the policies'. */
	end(present: PresentDevice): void {
		for (const id of instancesOf(present)) {
			if (!this.#foreign.delete(id)) continue;
			this.#ours.add(id);
			this.#changed();
		}
	}

	/** Whether somebody else refused the device itself. What is refused by hand is ours. */
	foreign(present: PresentDevice): boolean {
		return this.#foreign.get(present.instance) === "somebody-else";
	}

	/** The interfaces that somebody else refused. */
	foreignInterfaces(present: PresentDevice): readonly PresentDevice["interfaces"][number][] {
		return present.interfaces.filter(({ instance }) => this.#foreign.has(instance));
	}

	/** Whether the device itself is refused by hand. */
	blocked(instance: string): boolean {
		return this.#foreign.get(instance) === "by-hand";
	}

	/** Whether we refused the device or an interface of it, or let go of it, and it has not been authorized since. */
	owed(present: PresentDevice): boolean {
		return instancesOf(present).some((id) => this.#ours.has(id));
	}

	/** Forgets a device that is gone. */
	forget(present: PresentDevice): void {
		this.#drop(instancesOf(present));
	}

	/** Forgets whatever is not there any more. */
	keepOnly(present: readonly PresentDevice[]): void {
		const there = new Set(present.flatMap(instancesOf));
		const known = [...this.#open, ...this.#foreign.keys(), ...this.#ours];
		this.#drop(known.filter((id) => !there.has(id)));
	}

	#drop(instances: readonly string[]): void {
		for (const id of instances) {
			this.#ours.delete(id);
			const foreign = this.#foreign.delete(id);
			if (this.#open.delete(id) || foreign) this.#changed();
		}
	}

	/** The decision with what others refused. */
	overlay(decision: DeviceDecision, present: PresentDevice): DeviceDecision {
		const owner: Outside | undefined = this.#foreign.get(present.instance);
		if (owner !== undefined) return refusedFor(decision, owner);
		const refused = this.foreignInterfaces(present);
		if (refused.length === 0) return decision;
		return interfacesRefusedFor(decision, "somebody-else", (configuration, number) =>
			refused.some((item) => item.configuration === configuration && item.number === number),
		);
	}

	#look(instance: string, authorized: boolean, busOpens: boolean): boolean {
		if (authorized) {
			// What is refused by hand stays so, and is refused again.
			if (!this.blocked(instance)) this.#opened(instance);
			return false;
		}
		if (this.#foreign.has(instance)) return false;
		// Nothing was ever locked, and the bus lets everything in.
		const neverOurs = this.#memory.value.prior === null && busOpens && !this.#ours.has(instance);
		if (!this.#open.has(instance) && !neverOurs) return false;
		this.#refused(instance, "somebody-else");
		return true;
	}

	#opened(instance: string): void {
		this.#ours.delete(instance);
		const ended = this.#foreign.delete(instance);
		if (!ended && this.#open.has(instance)) return;
		this.#open.add(instance);
		this.#changed();
	}

	#refused(instance: string, owner: Owner): void {
		this.#ours.delete(instance);
		this.#open.delete(instance);
		this.#foreign.set(instance, owner);
		this.#changed();
	}
}

function instancesOf({ instance, interfaces }: PresentDevice): string[] {
	return [instance, ...interfaces.map((item) => item.instance)];
}
