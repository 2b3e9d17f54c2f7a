/** What the administrator decides about single devices by hand, beside the policies. */

import type { UsbEnforcerEvents } from "./enforcer-options.ts";
import type { UsbOwners } from "./owners.ts";
import type { UsbPermissions } from "./permissions.ts";
import type { UsbTracker } from "./tracker.ts";

export interface ManualDecisionsOptions {
	readonly tracker: Pick<UsbTracker, "get" | "lookAt">;
	readonly permissions: UsbPermissions;
	readonly owners: UsbOwners;
	readonly events: Pick<UsbEnforcerEvents, "allowed" | "blocked">;
	/** Whether only a lock without policies refuses, so that nothing would take a permission away when it ends. */
	readonly holds: () => boolean;
}

export type HandResult<T = object> =
	| ({ readonly ok: true } & T)
	| { readonly ok: false; readonly message: string };

export class ManualDecisions {
	readonly #options: ManualDecisionsOptions;

	constructor(options: ManualDecisionsOptions) {
		this.#options = options;
	}

	/** Allows the device that is on a port now, whatever the policies say, for a time in milliseconds. */
	allow(port: string, milliseconds: number): HandResult<{ readonly until: number }> {
		const { tracker, permissions, owners, events, holds } = this.#options;
		const device = tracker.get(port);
		if (!device?.present) return noDevice(port);
		const { present } = device;
		const refusedBefore = device.decision?.device === "refuse";
		owners.end(present);
		const until = permissions.grant(port, present.instance, milliseconds, () => {
			if (holds() && refusedBefore) owners.block(present.instance);
			events.allowed(port, present, null);
			tracker.lookAt(port);
		});
		events.allowed(port, present, until);
		tracker.lookAt(port);
		return { ok: true, until };
	}

	/** Ends a temporary permission before its time. */
	end(port: string): HandResult {
		const { tracker, permissions } = this.#options;
		if (!tracker.get(port)?.present) return noDevice(port);
		return permissions.end(port)
			? { ok: true }
			: { ok: false, message: `the device on port ${port} is not allowed for a time` };
	}

	/** Lets go of what somebody else, or the administrator, refused: from now on the policies decide. */
	unblock(port: string): HandResult {
		const { tracker, owners } = this.#options;
		const device = tracker.get(port);
		if (!device?.present) return noDevice(port);
		owners.end(device.present);
		tracker.lookAt(port);
		return { ok: true };
	}

	/** Refuses the device that is on a port now, until it is unplugged or allowed, whatever the policies say. */
	block(port: string): HandResult {
		const { tracker, permissions, owners, events } = this.#options;
		const device = tracker.get(port);
		if (!device?.present) return noDevice(port);
		const { present } = device;
		if (present.device.level === 0) return { ok: false, message: "a root hub is never refused" };
		permissions.revoke(port);
		owners.block(present.instance);
		events.blocked(port, present);
		tracker.lookAt(port);
		return { ok: true };
	}
}

function noDevice(port: string): { readonly ok: false; readonly message: string } {
	return { ok: false, message: `there is no device on port ${port}` };
}
