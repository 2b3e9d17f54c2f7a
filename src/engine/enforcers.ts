/** The registry: every kind of enforcement is one line here. */

import { Kinds } from "../document/kind.ts";
import { podKinds } from "../document/pod-kinds.ts";
import type { Enforcer } from "../enforcers/contract.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";

export const enforcers: readonly Enforcer[] = [networkEnforcer, usbEnforcer];

/** The kinds of documents that enforcers read, and those of which it is known that none does. */
export function kindsOf(registered: readonly Enforcer[]): Kinds {
	return new Kinds([
		...registered.flatMap(({ kinds }) => kinds),
		...podKinds,
		...registered.flatMap(({ asides }) => asides),
	]);
}

export const registeredKinds = kindsOf(enforcers);
