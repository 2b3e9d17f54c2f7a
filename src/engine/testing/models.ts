/** The models that test cases are held against. */

import type { Config } from "../../config/model.ts";
import type { Policy } from "../../document/kind.ts";
import { matchSelector, nodeLabels } from "../../document/labels.ts";
import { anyWish, networkEnforcer } from "../../enforcers/network/enforcer.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import { usbEnforcer } from "../../enforcers/usb/enforcer.ts";
import { devicePart } from "../../enforcers/usb/model.ts";
import { readPolicySet } from "../policy-set.ts";
import { testAccounts } from "./accounts.ts";
import type { TestedModels } from "./run.ts";

/** What the policies say on a host that they select. Questions are about what is written, whatever `enforcement` says. */
function compileSelected(selected: readonly Policy[], config: Config): TestedModels {
	const request = { config, purpose: "question", wish: null } as const;
	const policies = networkPart.of(selected);
	const accounts = testAccounts();
	const network = networkEnforcer.compile(policies, { ...request, wish: { ...anyWish, resolve: accounts } });
	const devices = usbEnforcer.compile(devicePart.of(selected), request);
	if (!network.ok) return { ok: false, diagnostics: network.diagnostics };
	if (!devices.ok) return { ok: false, diagnostics: devices.diagnostics };
	return { ok: true, network: network.kept, devices: devices.kept, accounts, policies };
}

/** Of policies that were read already. */
export function modelsOf(policies: readonly Policy[], hostname: string): (config: Config) => TestedModels {
	return (config) => {
		const labels = nodeLabels(config.nodeLabels, { hostname, arch: process.arch });
		const selected = policies.filter(({ nodeSelector }) => matchSelector(nodeSelector, labels).selected);
		return compileSelected(selected, config);
	};
}

/** Of a directory or a file, which is read for each configuration. */
export function modelsIn(path: string): (config: Config) => TestedModels {
	return (config) => {
		const set = readPolicySet([path], config);
		const errors = set.diagnostics.filter(({ severity }) => severity === "error");
		return errors.length > 0 ? { ok: false, diagnostics: errors } : compileSelected(set.selected, config);
	};
}
