/** A UsbEnforcer over a fake kernel, with everything that it reports written down. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Action } from "../../../../src/base/model.ts";
import type { Config } from "../../../../src/config/model.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { SelectedEntry } from "../../../../src/enforcers/usb/compile/match.ts";
import type { DeviceMatch } from "../../../../src/enforcers/usb/model.ts";
import { UsbEnforcer } from "../../../../src/enforcers/usb/run/enforcer.ts";
import { UsbMemory } from "../../../../src/enforcers/usb/run/memory.ts";
import { FakeKernel } from "./fake-usb.ts";
import { anything } from "./shapes.ts";

let count = 0;

/** One selected entry of a policy of its own. */
export function entry(action: Action, match: Partial<DeviceMatch> = {}, policy = `p${count}`): SelectedEntry {
	const place = { file: "p.yaml", line: ++count, column: 1 };
	return {
		policy,
		entry: {
			index: 0,
			place,
			action,
			severity: 5,
			tags: ["t"],
			message: "",
			match: { ...anything, ...match },
		},
	};
}

export class UsbRig {
	readonly kernel: FakeKernel;
	readonly stateDirectory = mkdtempSync(join(tmpdir(), "portward-usb-state."));
	/** What the enforcer reported, one line each. */
	readonly log: string[] = [];
	config: Config = { ...defaultConfig(), hostDefaultDevicePosture: "block" };
	boot = "boot-1";
	enforcer: UsbEnforcer;
	seconds: number[] = [];
	/** Milliseconds between two looks at everything; longer than any test. */
	verifyEvery = 600_000;

	constructor(options: { readonly usb?: boolean } = {}) {
		this.kernel = new FakeKernel(options);
		this.enforcer = this.#make();
	}

	/** A daemon in place of the one before, as after a crash. */
	async restart(): Promise<void> {
		await this.enforcer.stop();
		this.enforcer = this.#make();
	}

	/** A daemon in place of the one before, with nothing of what that one kept. */
	async forget(): Promise<void> {
		rmSync(this.stateDirectory, { recursive: true, force: true });
		mkdirSync(this.stateDirectory);
		await this.restart();
	}

	async run(...entries: SelectedEntry[]): Promise<void> {
		await this.enforcer.start();
		await this.enforcer.enforce(entries);
	}

	/** Waits until `condition` holds. */
	async until(condition: () => boolean, what: string): Promise<void> {
		const deadline = Date.now() + 50_000;
		while (!condition()) {
			if (Date.now() > deadline) throw new Error(`waited for ${what}; ${this.describe()}`);
			await Bun.sleep(1);
		}
	}

	/** "authorized", "partial", "refused"; "" for a device that is not there or not judged. */
	state(name: string): string {
		return this.enforcer.devices().find((device) => device.name === name)?.decision?.state ?? "";
	}

	/** Waits until a device has been dealt with. */
	async settled(name: string): Promise<void> {
		await this.until(() => this.log.includes(`settled ${name}`), `${name} to be settled`);
	}

	describe(): string {
		return JSON.stringify({ log: this.log, writes: this.kernel.writes, binds: this.kernel.binds });
	}

	async stop(): Promise<void> {
		await this.enforcer.stop();
		this.kernel.remove();
		rmSync(this.stateDirectory, { recursive: true, force: true });
	}

	#make(): UsbEnforcer {
		const { kernel } = this;
		return new UsbEnforcer({
			config: () => this.config,
			root: kernel.root,
			sources: [kernel],
			pools: { authorize: kernel.pool, refuse: kernel.pool },
			memory: new UsbMemory(this.stateDirectory, this.boot),
			deadline: 50,
			verifyEvery: this.verifyEvery,
			events: {
				settled: ({ name }) => this.log.push(`settled ${name}`),
				staged: ({ device }, would) =>
					this.log.push(`staged ${device.port}: ${would.map(({ staged }) => staged.join()).join(" ")}`),
				removed: ({ name }) => this.log.push(`removed ${name}`),
				pending: ({ name }) => this.log.push(`pending ${name}`),
				failed: ({ name }, error) => this.log.push(`failed ${name}: ${error}`),
				undone: ({ name }) => this.log.push(`undone ${name}`),
				written: (seconds) => this.seconds.push(seconds),
				reopened: (buses) => this.log.push(`reopened ${buses}`),
				overflow: () => this.log.push("overflow"),
				rescan: () => this.log.push("rescan"),
				warn: (message) => this.log.push(`warn ${message}`),
				allowed: (port, _, until) => this.log.push(`allowed ${port} ${until !== null}`),
				foreign: (port) => this.log.push(`foreign ${port}`),
				blocked: (port) => this.log.push(`blocked ${port}`),
			},
		});
	}
}
