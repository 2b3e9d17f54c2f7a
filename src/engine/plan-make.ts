/** Finds out what a directory of policies would change. Reads the host and changes nothing; needs no daemon. */

import { statSync } from "node:fs";
import { hostname } from "node:os";
import type { Diagnostic } from "../base/diagnostic.ts";
import { hasError } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Enforcer, Known } from "../enforcers/contract/enforcer.ts";
import { planFailsafe } from "../enforcers/network/compile/failsafe.ts";
import type { NetworkModel } from "../enforcers/network/compile/program.ts";
import { diffForwarded } from "../enforcers/network/compile/verdict/forwarded-diff.ts";
import { diffVerdicts } from "../enforcers/network/compile/verdict/verdict-diff.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import type { GuestPlaces } from "../enforcers/network/flows/guest-addresses.ts";
import { readUplinks } from "../enforcers/network/observe/uplinks.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";
import { sysfsRoot } from "../enforcers/usb/observe/present.ts";
import { PolicyDirectoryReader } from "../source/policy-directory.ts";
import { readRecord, settledPolicies } from "../state/pending-record.ts";
import { compileParts } from "./compile-set.ts";
import { enforcers, kindsOf } from "./enforcers.ts";
import { planConnections, planSession } from "./plan-connections.ts";
import { planDevices } from "./plan-devices.ts";
import type { ChangePlan, ConnectionsPlan, PlanResult } from "./plan-model.ts";
import { planPublished } from "./plan-published.ts";
import { planSeen } from "./plan-seen.ts";
import { diffSets, isEmptyDiff, type SetPart } from "./policy-diff.ts";
import { PolicyEngine } from "./policy-engine.ts";
import { type PolicySet, readPolicySet, selectionNote } from "./policy-set.ts";
import { SignedPolicies } from "./signed-policies.ts";
import { checkTests } from "./testing/gate.ts";

export interface PlanOptions {
	readonly config: Config;
	/** The new policies. */
	readonly directory: string;
	/** Where sysfs is mounted. */
	readonly sysRoot?: string;
	/** Every enforcer that is asked. */
	readonly registered?: readonly Enforcer[];
}

/** Compares with what is in force, and judges the open connections and the present USB devices by both. */
export function makePlan({
	config,
	directory,
	sysRoot = sysfsRoot,
	registered = enforcers,
}: PlanOptions): PlanResult {
	const fresh = readNew(directory, config, registered);
	if (!fresh.ok) return fresh;
	const present = readPresent(config, registered);
	if (!present.ok) return present;
	const network = networkEnforcer.enabled(config);
	const [before, after] = [partOf(present.set, networkEnforcer), partOf(fresh.set, networkEnforcer)];
	const models = { before: before.kept, after: after.kept };
	const devices = [partOf(present.set, usbEnforcer).parts, partOf(fresh.set, usbEnforcer).parts] as const;
	const off = "enableNetworkPolicyEnforcer is false";
	const connections: ConnectionsPlan = network
		? planConnections(models, config.endRefusedAtStart, guestPlaces(config))
		: { checked: false, reason: off, cut: [], total: 0, refusedAtStart: null };
	const verdicts = network ? verdictChanges(models) : [];
	return {
		ok: true,
		plan: {
			directory,
			against: present.directory,
			pending: present.pending,
			unselected: fresh.unselected,
			diff: diffSets(present.set, fresh.set, config),
			verdicts,
			forwarded: network && verdicts !== null ? diffForwarded(models.before, models.after, verdicts) : null,
			failsafe: planFailsafe(config.failsafe),
			connections,
			published: network
				? planPublished(models, config, connections.cut)
				: { forwarded: config.guests.forwarded, checked: false, reason: off, changes: [], more: 0 },
			seen: network ? planSeen(config, after.kept) : null,
			devices: usbEnforcer.enabled(config)
				? planDevices(config, ...devices, sysRoot)
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

/** Null where connections of guests are not ended. */
function guestPlaces({ guests: { forwarded, interfaces, uplinks } }: Config): GuestPlaces | null {
	if (forwarded !== "enforce") return null;
	const read = readUplinks(uplinks);
	return { interfaces, uplinks: read.ok ? read.names : uplinks };
}

/** Atoms of both sets that are compared: more take longer than whoever plans should wait. */
const mostAtoms = 10_000;

/** The same times the kinds of addresses that suffixes tell apart, which are compared one after the other. */
const mostCells = 500_000;

function verdictChanges({ before, after }: Readonly<Record<"before" | "after", NetworkModel>>) {
	const programs = [before, after].flatMap(({ ingress, egress }) => [ingress, egress]);
	const atoms = programs.reduce((sum, program) => sum + program.atoms.length, 0);
	const kinds = programs.reduce((sum, { suffixes }) => sum + (suffixes?.programs.length ?? 0), 1);
	return atoms > mostAtoms || atoms * kinds > mostCells ? null : diffVerdicts(before, after);
}

/** Whether the new policies would change anything. */
export function planChanges(plan: ChangePlan): boolean {
	return !isEmptyDiff(plan.diff);
}

type Read =
	| { readonly ok: true; readonly set: readonly SetPart[]; readonly diagnostics: readonly Diagnostic[] }
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

function problem(file: string, code: string, message: string, hint: string): Diagnostic {
	return { file, line: 1, column: 1, path: "", severity: "error", code, message, hint };
}

type New =
	| (Read & { readonly ok: true; readonly unselected: string | null })
	| (Read & { readonly ok: false });

/** The new policies must be whole: nothing stands in for a broken one that was never in force. */
function readNew(directory: string, config: Config, registered: readonly Enforcer[]): New {
	if (!isDirectory(directory)) {
		const hint = "name a directory of policies with --policy-dir";
		return { ok: false, diagnostics: [problem(directory, "not-a-directory", "this is no directory", hint)] };
	}
	const read = readPolicySet([directory], config, kindsOf(registered), {
		directory,
		origin: config.policyDir,
	});
	const compiled = compileParts(read.selected, registered, () => ({
		config,
		purpose: "question",
		wish: null,
	}));
	const diagnostics = [...read.diagnostics, ...compiled.flatMap(({ result }) => result.diagnostics)];
	const set = compiled.flatMap(({ enforcer, parts, result }) =>
		result.ok ? [{ enforcer, parts, kept: result.kept }] : [],
	);
	if (set.length < compiled.length || hasError(diagnostics)) return { ok: false, diagnostics };
	const warnings = [
		...signatureWarnings(directory, config),
		...testWarnings(read, config),
		...set.flatMap(({ enforcer, parts, kept }) =>
			enforcer.enabled(config)
				? enforcer.lintHost(kept, parts, { config, file: directory, scope: "all" })
				: [],
		),
	];
	return { ok: true, set, diagnostics: [...diagnostics, ...warnings], unselected: selectionNote(read) };
}

/** What one enforcer has of a set. */
function partOf<Part, Kept>(
	set: readonly SetPart[],
	{ name }: Known<Part, Kept>,
): { readonly parts: readonly Part[]; readonly kept: Kept } {
	const found = set.find((part) => part.enforcer.name === name);
	if (found === undefined) throw new Error(`the ${name} enforcer is not registered`);
	// What is under its name came out of its own reader and compiler.
	return { parts: found.parts as readonly Part[], kept: found.kept as Kept };
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

/** What the tests beside the new policies say: with policyTests: enforce these would be refused. */
function testWarnings({ asides, policies }: PolicySet, config: Config): Diagnostic[] {
	const tests = checkTests(asides, policies, config, hostname());
	if (tests === null) return [];
	const would = tests.refuses ? "these policies would be refused: " : "";
	return tests.findings.map((one) => ({ ...one, severity: "warning", message: `${would}${one.message}` }));
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
function readPresent(
	config: Config,
	registered: readonly Enforcer[],
): Present | (Read & { readonly ok: false }) {
	const pending = readRecord(config.stateDir).state === "known";
	const { directory, stateDirectory } = placesInForce(config);
	const settings = { directory, stateDirectory, checkPermissions: true, hostname: hostname(), config };
	const engine = new PolicyEngine(settings, registered);
	const reloaded = engine.reload(config);
	const found = reloaded.diagnostics.filter(({ severity }) => severity === "error");
	const unknown = found.filter(({ code }) => code === "unreadable-directory");
	// Without the right to read them nothing can be said; for root they are as the daemon finds them.
	if (unknown.length > 0 && process.geteuid?.() !== 0) return { ok: false, diagnostics: unknown };
	const set = engine.standingParts.map((part) =>
		part.kept === null ? nothingOf(part.enforcer, config) : part,
	);
	const diagnostics = found.map(
		(item): Diagnostic => ({
			...item,
			severity: "warning",
			message: `in force now: ${item.message}`,
		}),
	);
	return { ok: true, set, diagnostics, directory, pending };
}

/** What an enforcer has of no policies. */
function nothingOf(enforcer: Enforcer, config: Config): SetPart {
	const compiled = enforcer.compile([], { config, purpose: "question", wish: null });
	if (!compiled.ok) throw new Error("no policies do not compile");
	return { enforcer, parts: [], kept: compiled.kept };
}
