/** Test cases lie beside policies. They are about packets and about devices, so they are no enforcer's own. */

import type { AsideKind } from "../../document/kind.ts";
import { policyTestSchema } from "../../enforcers/network/parse/json-schema.ts";
import { testKind, validatePolicyTest } from "../../enforcers/network/parse/test-document.ts";
import type { PolicyTest as NetworkTest } from "../../enforcers/network/parse/test-model.ts";
import {
	type DeviceTestCase,
	deviceCaseField,
	deviceCaseSchema,
	readDeviceCase,
} from "../../enforcers/usb/parse/test-case.ts";

export type PolicyTest = NetworkTest<DeviceTestCase>;

export const policyTestKind: AsideKind<PolicyTest> = {
	name: testKind,
	list: null,
	schema: policyTestSchema(deviceCaseSchema),
	role: "aside",
	read: (reader, root) => validatePolicyTest(reader, root, { field: deviceCaseField, read: readDeviceCase }),
};
