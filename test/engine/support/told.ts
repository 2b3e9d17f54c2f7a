/** A reading, beside what the two enforcers were sent of it. */

import { sentTo } from "../../../src/enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../../../src/enforcers/network/enforcer.ts";
import { usbEnforcer } from "../../../src/enforcers/usb/enforcer.ts";
import type { Reloaded } from "../../../src/engine/reading.ts";

export function told(reloaded: Reloaded) {
	const network = sentTo(networkEnforcer, reloaded.sent);
	const usb = sentTo(usbEnforcer, reloaded.sent);
	return {
		...reloaded,
		plan: network?.plan ?? null,
		interfaces: network?.interfaces ?? [],
		devices: usb?.entries ?? [],
		usbLock: usb?.lock ?? null,
	};
}

export type Told = ReturnType<typeof told>;
