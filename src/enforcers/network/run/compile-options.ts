/** The compiler's options that follow from the settings, and from the VRFs and bridges that this host has now. */

import type { Config } from "../../../config/model.ts";
import { vrfsOf } from "../../../kernel/links.ts";
import { HostAccounts } from "../../../kernel/senders/accounts.ts";
import type { Features } from "../apply/probes.ts";
import { knownUplinks } from "../compile/guests.ts";
import type { CompileOptions } from "../compile/network.ts";
import type { RulesetForm } from "../compile/plan.ts";
import { hashFrom } from "../compile/render/hashable.ts";
import { readUplinks } from "../observe/uplinks.ts";

/** Alerts of one rule a second, and at once, before the kernel suppresses the rest. */
const logLimit = { rate: 500, burst: 1000 };

/** Names of an earlier process must not be taken for ours: the kernel's objects may have been changed since. */
export const epochPrefix = Date.now().toString(36).slice(-8);

/** @param features what the kernel can, as far as it is known */
export function compileOptions(
	config: Config,
	epoch: string,
	form: RulesetForm,
	{ counts = true, units = true }: { readonly [name in keyof Features]?: boolean | undefined } = {},
): CompileOptions {
	const accounts = new HostAccounts();
	return {
		epoch,
		form,
		observe: counts && config.observe.enabled,
		hashFrom,
		resolve: (kind, name) => (kind === "service" ? (units ? 0 : null) : accounts.number(kind, name)),
		posture: config.hostDefaultNetworkPosture,
		enforcement: config.enforcement,
		...(config.stagedNetworkPosture === "block" ? { stagedPosture: "block" as const } : {}),
		allowlistScope: config.allowlistScope,
		essentials: config.essentials,
		related: config.related,
		vrfs: vrfsOf(),
		invalidPackets: config.enforcement === "audit" ? "accept" : config.invalidPackets,
		failsafe: config.failsafe,
		...guests(config.guests),
		nflogGroup: config.nflogGroup,
		maxElements: config.maxElements,
		logLimit,
	};
}

function guests({ forwarded, interfaces, uplinks }: Config["guests"]): Pick<CompileOptions, "guests"> {
	if (forwarded === "off") return {};
	const read = readUplinks(uplinks);
	const known = read.ok ? read.names : [...knownUplinks, ...uplinks];
	return { guests: { forwarded, interfaces, uplinks: known } };
}
