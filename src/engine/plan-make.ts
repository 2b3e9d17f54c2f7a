/** Finds out what a directory of policies would change. Reads the host and changes nothing; needs no daemon. */

import { statSync } from "node:fs";
import { hostname } from "node:os";
import type { Diagnostic } from "../base/diagnostic.ts";
import { hasError } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import { planFailsafe } from "../enforcers/network/compile/failsafe.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { interfaceFindings, interfaceUses } from "../enforcers/network/interfaces.ts";
import { type NetworkPolicy, networkPart } from "../enforcers/network/model.ts";
import { lintHost } from "../enforcers/network/run/host-lint.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";
import { devicePart } from "../enforcers/usb/model.ts";
import { sysfsRoot } from "../enforcers/usb/observe/present.ts";
import { readLinks } from "../kernel/links.ts";
import { postureInForce } from "../report/enforcement-notice.ts";
import { PolicyDirectoryReader } from "../source/policy-directory.ts";
import { readRecord, settledPolicies } from "../state/pending-record.ts";
import { planConnections, planSession } from "./plan-connections.ts";
import { planDevices } from "./plan-devices.ts";
import type { ChangePlan, PlanResult } from "./plan-model.ts";
import { diffPolicies, isEmptyDiff, type SelectedSet } from "./policy-diff.ts";
import { PolicyEngine } from "./policy-engine.ts";
import { readPolicySet, selectionNote } from "./policy-set.ts";
import { SignedPolicies } from "./signed-policies.ts";

export interface PlanOptions {
	readonly config: Config;
	/** The new policies. */
	readonly directory: string;
	/** Where sysfs is mounted. */
	readonly sysRoot?: string;
}

/** Compares with what is in force, and judges the open connections and the present USB devices by both. */
export function makePlan({ config, directory, sysRoot = sysfsRoot }: PlanOptions): PlanResult {
	const fresh = readNew(directory, config);
	if (!fresh.ok) return fresh;
	const present = readPresent(config);
	if (!present.ok) return present;
	const { enableNetworkPolicyEnforcer, enableKubeArmorHostPolicy, enableUSBDeviceHandler } = config;
	const network = enableNetworkPolicyEnforcer;
	const usb = enableKubeArmorHostPolicy && enableUSBDeviceHandler;
	const models = { before: present.set.model, after: fresh.set.model };
	return {
		ok: true,
		plan: {
			directory,
			against: present.directory,
			pending: present.pending,
			unselected: fresh.unselected,
			diff: diffPolicies(present.set, fresh.set, postureInForce(config.hostDefaultDevicePosture, config)),
			failsafe: planFailsafe(config.failsafe),
			connections: network
				? planConnections(models, config.endRefusedAtStart)
				: {
						checked: false,
						reason: "enableNetworkPolicyEnforcer is false",
						cut: [],
						total: 0,
						refusedAtStart: null,
					},
			devices: usb
				? planDevices(config, present.set.devices, fresh.set.devices, sysRoot)
				: {
						checked: false,
						reason: "enableUSBDeviceHandler or enableKubeArmorHostPolicy is false",
						changes: [],
						session: null,
					},
			session: network ? planSession(models) : null,
			diagnostics: [...present.diagnostics, ...fresh.diagnostics],
		},
	};
}

/** Whether the new policies would change anything. */
export function planChanges(plan: ChangePlan): boolean {
	return !isEmptyDiff(plan.diff);
}

type Read =
	| { readonly ok: true; readonly set: SelectedSet; readonly diagnostics: readonly Diagnostic[] }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

function problem(file: string, code: string, message: string, hint: string): Diagnostic {
	return { file, line: 1, column: 1, path: "", severity: "error", code, message, hint };
}

type New =
	| (Read & { readonly ok: true; readonly unselected: string | null })
	| (Read & { readonly ok: false });

/** The new policies must be whole: nothing stands in for a broken one that was never in force. */
function readNew(directory: string, config: Config): New {
	if (!isDirectory(directory)) {
		const hint = "name a directory of policies with --policy-dir";
		return { ok: false, diagnostics: [problem(directory, "not-a-directory", "this is no directory", hint)] };
	}
	const read = readPolicySet([directory], config);
	const request = { config, purpose: "question", wish: null } as const;
	const network = networkPart.of(read.selected);
	const devices = devicePart.of(read.selected);
	const compiled = networkEnforcer.compile(network, request);
	const findings = usbEnforcer.compile(devices, request).diagnostics;
	const diagnostics = [...read.diagnostics, ...compiled.diagnostics, ...findings];
	if (!compiled.ok || hasError(diagnostics)) return { ok: false, diagnostics };
	const set = { network, devices, model: compiled.kept };
	const warnings = [
		...signatureWarnings(directory, config),
		...interfaceWarnings(directory, set.network, config),
		...(config.enableNetworkPolicyEnforcer ? lintHost(set.model, directory, "all") : []),
	];
	return { ok: true, set, diagnostics: [...diagnostics, ...warnings], unselected: selectionNote(read) };
}

/** Names of interfaces that cannot match on this host, or not as they are meant. */
function interfaceWarnings(
	directory: string,
	policies: readonly NetworkPolicy[],
	config: Config,
): Diagnostic[] {
	const read = readLinks();
	if (!read.ok || !config.enableNetworkPolicyEnforcer) return [];
	return interfaceFindings(interfaceUses(policies, config.failsafe), read.links).map(
		({ reason, message, users, hint }) => ({
			...problem(directory, `interface-${reason}`, `${message} (${users.join(", ")})`, hint),
			severity: "warning",
		}),
	);
}

/** Policies may be signed after they were planned, so that they are not yet is no error. */
function signatureWarnings(directory: string, config: Config): Diagnostic[] {
	const reader = new PolicyDirectoryReader(directory, { checkPermissions: false });
	const { signature } = new SignedPolicies(reader, false).read(config);
	if (signature === null || signature.ok) return [];
	const message = `these policies would be refused: ${signature.problem}`;
	const hint = "sign them with portward policy sign, or see policySignature and trustedKeys in the settings";
	return [{ ...problem(directory, "signature", message, hint), severity: "warning" }];
}

function isDirectory(path: string): boolean {
	try {
		return statSync(path).isDirectory();
	} catch (error) {
		if (error instanceof Error && "code" in error) return false;
		throw error;
	}
}

type Present = Read & { readonly ok: true; readonly directory: string; readonly pending: boolean };

/** Where what is confirmed lies, and the state beside it. A pending change has a place of its own. */
function placesInForce({ confirm, policyDir, stateDir }: Config) {
	return confirm === "required"
		? settledPolicies(stateDir)
		: { directory: policyDir, stateDirectory: stateDir };
}

/** What the daemon enforces, or would, as its own reader finds it: last good versions stand in for what is broken. */
function readPresent(config: Config): Present | (Read & { readonly ok: false }) {
	const pending = readRecord(config.stateDir).state === "known";
	const { directory, stateDirectory } = placesInForce(config);
	const engine = new PolicyEngine({
		directory,
		stateDirectory,
		checkPermissions: true,
		hostname: hostname(),
		config,
	});
	const reloaded = engine.reload(config);
	const found = reloaded.diagnostics.filter(({ severity }) => severity === "error");
	const unknown = found.filter(({ code }) => code === "unreadable-directory");
	// Without the right to read them nothing can be said; for root they are as the daemon finds them.
	if (unknown.length > 0 && process.geteuid?.() !== 0) return { ok: false, diagnostics: unknown };
	const { parts: network, kept: model } = engine.standing(networkEnforcer);
	const { parts: devices } = engine.standing(usbEnforcer);
	const nothing = networkEnforcer.compile([], { config, purpose: "question", wish: null });
	if (!nothing.ok) throw new Error("no policies do not compile");
	const set = model === null ? { network: [], devices, model: nothing.kept } : { network, devices, model };
	const diagnostics = found.map(
		(item): Diagnostic => ({
			...item,
			severity: "warning",
			message: `in force now: ${item.message}`,
		}),
	);
	return { ok: true, set, diagnostics, directory, pending };
}
