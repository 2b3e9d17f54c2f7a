/** The compiler's options that follow from the settings, and from the VRFs and bridges that this host has now. */

import type { Config } from "../../../config/model.ts";
import { vrfsOf } from "../../../kernel/links.ts";
import { knownUplinks } from "../compile/guests.ts";
import type { CompileOptions } from "../compile/network.ts";
import type { RulesetForm } from "../compile/plan.ts";
import { hashFrom } from "../compile/render/hashable.ts";
import { readUplinks } from "../observe/uplinks.ts";

/** Alerts of one rule a second, and at once, before the kernel suppresses the rest. */
const logLimit = { rate: 500, burst: 1000 };

/** Names of an earlier process must not be taken for ours: the kernel's objects may have been changed since. */
export const epochPrefix = Date.now().toString(36).slice(-8);

/** @param counts whether the kernel can count flows in sets */
export function compileOptions(
	config: Config,
	epoch: string,
	form: RulesetForm,
	counts = true,
): CompileOptions {
	return {
		epoch,
		form,
		observe: counts && config.observe.enabled,
		hashFrom,
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
