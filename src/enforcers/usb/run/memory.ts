/** What must outlive the process: the values before the lock, and which devices this boot began with. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { readState, writeState } from "../../../state/state-file.ts";
import type { PriorDefaults } from "../apply/lock.ts";

const text = v.pipe(v.string(), v.maxLength(4096));

const shape = v.object({
	boot: text,
	/** Null while portward has locked nothing. */
	prior: v.nullable(
		v.object({
			module: v.nullable(text),
			controllers: v.record(text, v.object({ devices: text, interfaces: v.nullable(text) })),
		}),
	),
	/** The instances of the devices that were there when portward first started in this boot; null before that. */
	present: v.nullable(v.array(text)),
	/** Instances of devices and interfaces that were last seen authorized: a refusal of these that is not ours is another's. */
	open: v.optional(v.array(text), []),
	/** Instances that somebody refused, or the administrator by hand. */
	foreign: v.optional(v.record(text, v.picklist(["somebody-else", "by-hand"])), {}),
});

export interface UsbMemoryValue {
	readonly boot: string;
	readonly prior: PriorDefaults | null;
	readonly present: readonly string[] | null;
	readonly open: readonly string[];
	readonly foreign: Readonly<Record<string, "somebody-else" | "by-hand">>;
}

/** Identifies this run of the kernel (random(4)). */
export function bootId(): string {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch (error) {
		if (error instanceof Error && "code" in error) return "";
		throw error;
	}
}

export class UsbMemory {
	readonly #file: string;
	readonly #boot: string;
	#value: UsbMemoryValue;
	/** Why the file could not be read, or its version before was; null when it could, or was not there. */
	readonly problem: string | null;

	constructor(stateDirectory: string, boot: string) {
		this.#file = join(stateDirectory, "usb.json");
		this.#boot = boot;
		this.#value = { boot, prior: null, present: null, open: [], foreign: {} };
		const state = readState(this.#file);
		if (!state.ok) {
			this.problem = state.reason === "absent" ? null : state.message;
			return;
		}
		const parsed = v.safeParse(shape, state.value);
		this.problem = parsed.success ? state.problem : `${this.#file} is not what portward wrote`;
		// What a kernel was told is forgotten when it ends.
		if (parsed.success && parsed.output.boot === boot) this.#value = parsed.output;
	}

	get value(): UsbMemoryValue {
		return this.#value;
	}

	/** Keeps new values. Returns an error text, or null. */
	update(change: Partial<Omit<UsbMemoryValue, "boot">>): string | null {
		const value = { ...this.#value, ...change, boot: this.#boot };
		if (JSON.stringify(value) === JSON.stringify(this.#value)) return null;
		this.#value = value;
		return writeState(this.#file, value);
	}
}
