/** The USB enforcer, as the registry knows it. */

import type { Enforcer } from "../contract.ts";
import { devicePart, type HostDevicePolicy } from "./model.ts";
import { hostPolicyKind } from "./parse/kinds.ts";

export const usbEnforcer: Enforcer<HostDevicePolicy> = {
	name: devicePart.enforcer,
	part: devicePart,
	kinds: [hostPolicyKind],
	asides: [],
};
