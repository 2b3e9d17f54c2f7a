/** A host policy, read as the registry reads it, with the device block alone. */

import type { Node } from "yaml";
import { hostPolicyKind } from "../../../../src/document/host-policy.ts";
import type { NodeReader } from "../../../../src/document/nodes.ts";
import { devicePart, type HostDevicePolicy } from "../../../../src/enforcers/usb/model.ts";
import { deviceBlock } from "../../../../src/enforcers/usb/parse/device-block.ts";

export const devicePolicyKind = hostPolicyKind([deviceBlock]);

export function validateHostPolicy(reader: NodeReader, root: Node): HostDevicePolicy | null {
	const [policy] = devicePart.in([{ policy: devicePolicyKind.read(reader, root) }]);
	return policy ?? null;
}
