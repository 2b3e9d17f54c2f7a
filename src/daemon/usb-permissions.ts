/** Temporary permissions: a device on a port, for a time, whatever the policies say. They end with the process. */

import type { DeviceDecision } from "../compile/usb-decide.ts";

interface Permission {
	readonly instance: string;
	/** Milliseconds since the epoch. */
	readonly until: number;
	readonly timer: ReturnType<typeof setTimeout>;
}

export class UsbPermissions {
	readonly #byPort = new Map<string, Permission>();

	/** Permits one instance, in place of what was permitted on its port; `ended` is called when the time is up. */
	grant(port: string, instance: string, milliseconds: number, ended: () => void): number {
		this.revoke(port);
		const until = Date.now() + milliseconds;
		const timer = setTimeout(() => {
			this.#byPort.delete(port);
			ended();
		}, milliseconds);
		this.#byPort.set(port, { instance, until, timer });
		return until;
	}

	/** Until when an instance is permitted, in milliseconds since the epoch; null when it is not. */
	until(port: string, instance: string): number | null {
		const permission = this.#byPort.get(port);
		return permission?.instance === instance ? permission.until : null;
	}

	revoke(port: string): void {
		clearTimeout(this.#byPort.get(port)?.timer);
		this.#byPort.delete(port);
	}

	clear(): void {
		for (const port of [...this.#byPort.keys()]) this.revoke(port);
	}
}

/** The decision with everything let through; the verdicts still say what the policies think. */
export function permitted(decision: DeviceDecision): DeviceDecision {
	return {
		...decision,
		device: "authorize",
		state: "authorized",
		refusal: null,
		interfaces: decision.interfaces.map((item) => ({
			...item,
			permitted: true,
			functions: item.functions.map((judged) => ({ ...judged, refused: false })),
		})),
		functions: decision.functions.map((judged) => ({ ...judged, refused: false })),
	};
}
