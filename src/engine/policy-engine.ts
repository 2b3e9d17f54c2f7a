/**
 * From the policy directory to a plan, in a Worker: what is on disk, what was
 * good before, what is meant for this host, and what that means to the kernel.
 */

import { join } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Policy } from "../document/kind.ts";
import { matchSelector, nodeLabels } from "../document/labels.ts";
import type { ParsedDocument, ParsedFile } from "../document/parse.ts";
import {
	type CompileOptions,
	type CompileResult,
	compileNetwork,
} from "../enforcers/network/compile/network.ts";
import type { RulesetForm } from "../enforcers/network/compile/plan.ts";
import type { NetworkModel } from "../enforcers/network/compile/program.ts";
import { hashFrom } from "../enforcers/network/compile/render/hashable.ts";
import { adoptAllowed } from "../enforcers/network/flows/adopt-connections.ts";
import { Connections, type JudgeFlow } from "../enforcers/network/flows/connections.ts";
import { flowJudge } from "../enforcers/network/flows/flow-verdict.ts";
import { mutePorts } from "../enforcers/network/flows/mute-ports.ts";
import { interfaceUses } from "../enforcers/network/interfaces.ts";
import { type NetworkPolicy, networkPart } from "../enforcers/network/model.ts";
import type {
	DocumentReport,
	JudgeRequest,
	OpenConnections,
	PolicySettings,
	Reloaded,
	SignatureReport,
} from "../enforcers/network/run/calls.ts";
import { lintHost } from "../enforcers/network/run/host-lint.ts";
import { lintDeviceSet } from "../enforcers/usb/compile/lint.ts";
import { DeviceRuleset, selectEntries } from "../enforcers/usb/compile/ruleset.ts";
import { devicePart, type HostDevicePolicy } from "../enforcers/usb/model.ts";
import { vrfsOf } from "../kernel/links.ts";
import { type PolicyDirectory, PolicyDirectoryReader, type PolicyFile } from "../source/policy-directory.ts";
import { isPendingState } from "../state/pending-record.ts";
import {
	type DiskFile,
	type EnforcedDocument,
	type LastGood,
	type LastGoodResult,
	resolveLastGood,
} from "./collection.ts";
import { registeredKinds } from "./enforcers.ts";
import { LastGoodStore } from "./last-good.ts";
import { parsePolicyFile } from "./parse.ts";
import { SignedPolicies } from "./signed-policies.ts";

/** Alerts of one rule a second, and at once, before the kernel suppresses the rest. */
const logLimit = { rate: 500, burst: 1000 };

/** The compiler's options that follow from the settings, and from the VRFs that this host has now. */
export function compileOptions(config: Config, epoch: string, form: RulesetForm): CompileOptions {
	return {
		epoch,
		form,
		hashFrom,
		posture: config.hostDefaultNetworkPosture,
		enforcement: config.enforcement,
		allowlistScope: config.allowlistScope,
		essentials: config.essentials,
		related: config.related,
		vrfs: vrfsOf(),
		invalidPackets: config.enforcement === "audit" ? "accept" : config.invalidPackets,
		failsafe: config.failsafe,
		nflogGroup: config.nflogGroup,
		maxElements: config.maxElements,
		logLimit,
	};
}

/** One policy with what selecting it for this host said. */
interface Candidate {
	readonly entry: EnforcedDocument;
	readonly selected: boolean;
	readonly diagnostics: readonly Diagnostic[];
}

/** Policies that are meant for this host. */
export interface StandingPolicies {
	readonly network: readonly NetworkPolicy[];
	readonly devices: readonly HostDevicePolicy[];
	/** Null where no set could be compiled. */
	readonly model: NetworkModel | null;
}

export class PolicyEngine {
	readonly #settings: PolicySettings;
	readonly #signed: SignedPolicies;
	readonly #store: LastGoodStore;
	readonly #connections = new Connections();
	#parsed = new Map<string, { text: string; ignores: boolean; file: ParsedFile }>();
	/** In force, or read from the state directory by the first reload. */
	#lastGood: readonly LastGood[] | null = null;
	/** Found by the last reload, to be kept once it is in force. */
	#pending: readonly LastGood[] = [];
	/** What was read is what the plan was made of, not its last good version. */
	#asRead = false;
	#model: NetworkModel | null = null;
	#standing: Omit<StandingPolicies, "model"> = { network: [], devices: [] };
	#stateProblem: Diagnostic | null = null;
	/** Characters parsed in this Worker's life. */
	#parsedLength = 0;

	constructor(settings: PolicySettings) {
		this.#settings = settings;
		const raises = !isPendingState(settings.stateDirectory, settings.config);
		this.#signed = new SignedPolicies(new PolicyDirectoryReader(settings.directory, settings), raises);
		this.#store = new LastGoodStore(settings.stateDirectory);
	}

	/** The policies that the last reload found to be enforced, last good versions included. */
	get standing(): StandingPolicies {
		return { ...this.#standing, model: this.#model };
	}

	/** Whether it is made for these directories. */
	reads({ directory, stateDirectory }: PolicySettings): boolean {
		return this.#settings.directory === directory && this.#settings.stateDirectory === stateDirectory;
	}

	/** Reads what is on disk and compiles it; `config` and the host's name may have changed since the last time. */
	reload(
		config: Config,
		epoch: string,
		form: RulesetForm,
		hostname: string = this.#settings.hostname,
	): Reloaded {
		const { directory, signature: found, warning } = this.#signed.read(config);
		const files = directory.files.map((file) => this.#parse(file, config));
		const lastGood = this.#lastGood ?? this.#readLastGood(files);
		this.#lastGood = lastGood;
		const signature = withStanding(found, lastGood.length > 0);
		const resolved = resolveLastGood({ files, directoryVanished: directory.problem !== null, lastGood });
		const labels = nodeLabels(config.nodeLabels, { hostname, arch: process.arch });
		const candidates = resolved.enforce.map((entry) => select(entry, labels));
		const options = compileOptions(config, epoch, form);
		let enforced: readonly Candidate[] = candidates.filter((candidate) => candidate.selected);
		const compiled = compileNetwork(networkPart.of(policiesOf(enforced)), options);
		let result: CompileResult = compiled;
		this.#asRead = compiled.ok && directory.problem === null;
		if (compiled.ok) this.#pending = resolved.lastGood;
		else {
			this.#pending = lastGood;
			enforced = lastGood
				.map((saved) => select({ path: saved.path, document: saved.document, origin: "last-good" }, labels))
				.filter((candidate) => candidate.selected);
			// Without any, an empty plan would open what an earlier daemon may have left in force.
			if (lastGood.length > 0) result = compileNetwork(networkPart.of(policiesOf(enforced)), options);
		}
		if (result.ok) this.#model = result.model;
		// A set of packet rules that is refused as a whole takes no device policy down with it.
		const standing = enforced.length > 0 ? enforced : candidates.filter((candidate) => candidate.selected);
		this.#standing = {
			network: networkPart.of(policiesOf(enforced)),
			devices: devicePart.of(policiesOf(standing)),
		};
		const devices = selectEntries(this.#standing.devices);
		const ruleset = new DeviceRuleset(devices, config.hostDefaultDevicePosture, config.enforcement);
		const diagnostics = [
			...lintDeviceSet(ruleset),
			...this.#general(directory),
			...(warning === null
				? []
				: [{ ...this.#problem(warning.code, warning.message, warning.hint), severity: "warning" as const }]),
			...compiled.diagnostics,
			...(result.ok && config.enableNetworkPolicyEnforcer
				? lintHost(result.model, this.#settings.directory, "notable")
				: []),
			...(result === compiled ? [] : result.diagnostics),
		];
		const { documents, rest } = report(resolved, candidates, enforced, diagnostics);
		const complete =
			compiled.ok &&
			directory.problem === null &&
			resolved.statuses.every((status) => status.state !== "rejected");
		const usb = config.enableKubeArmorHostPolicy && config.enableUSBDeviceHandler;
		return {
			documents,
			diagnostics: [...rest, ...documents.flatMap((document) => document.diagnostics)],
			complete,
			lastGood: !compiled.ok || resolved.statuses.some((status) => status.state === "last-good"),
			// Unsigned policies must not empty what an earlier daemon may have left in force.
			plan: result.ok && (signature?.ok !== false || lastGood.length > 0) ? result.plan : null,
			signature,
			devices,
			usbLock: !complete && usb && devices.length === 0 ? null : usb && ruleset.needsLock,
			nodeLabels: { ...labels },
			interfaces: interfaceUses(this.#standing.network, config.failsafe),
			parsed: { ever: this.#parsedLength, present: this.#presentLength() },
		};
	}

	/** The set that the last reload returned is in force. */
	keep(): string | null {
		this.#lastGood = this.#pending;
		const unsaved = this.#store.write(this.#pending);
		return unsaved ?? (this.#asRead ? this.#signed.inForce() : null);
	}

	judgeConnections(request: JudgeRequest): OpenConnections {
		const model = this.#model;
		const before = new Set(request.before);
		const verdict = this.#flowJudge(before);
		if (verdict === null || model === null)
			return { ...request, blocked: 0, strayed: 0, overflow: 0, muted: [], error: "" };
		return this.#connections.judge(verdict, request, (network) =>
			mutePorts(model, {
				ports: network.servedPorts,
				interfaces: network.everywhere,
				before,
				muted: new Set(request.mutedPorts),
			}),
		);
	}

	/** See PolicyCalls. */
	adoptConnections(): string | null {
		const verdict = this.#flowJudge();
		return verdict === null ? null : adoptAllowed(verdict);
	}

	#flowJudge(before?: ReadonlySet<string>): JudgeFlow | null {
		const model = this.#model;
		return model && flowJudge(model, before);
	}

	endConnections(): { ended: number; error: string } {
		return this.#connections.end();
	}

	#parse(file: PolicyFile, config: Config): DiskFile {
		const name = join(this.#settings.directory, file.path);
		if (file.problem !== null || file.text === null) {
			const problem = file.problem ?? {
				code: "unreadable-file",
				message: "the file cannot be read",
				hint: "",
			};
			return { path: file.path, state: "broken", documents: [unreadable(name, problem)] };
		}
		const { path, text } = file;
		const ignores = config.ignoreUnknownKinds;
		const known = this.#parsed.get(path);
		const same = known?.text === text && known.ignores === ignores;
		if (!same) this.#parsedLength += text.length;
		const parsed = same ? known.file : parsePolicyFile(name, text, config);
		this.#parsed.set(path, { text, ignores, file: parsed });
		return { path: file.path, state: parsed.syntaxBroken ? "broken" : "ok", documents: policiesIn(parsed) };
	}

	#readLastGood(files: readonly DiskFile[]): readonly LastGood[] {
		const byPath = new Map(files.map((file) => [file.path, file.documents]));
		const { documents, problem } = this.#store.read(this.#settings.directory, (path, source) =>
			byPath.get(path)?.find((document) => document.source === source),
		);
		if (problem !== null) {
			const message = `the last good policies are not known for sure: ${problem}`;
			const hint =
				"see whether what stands in for broken policies is what you mean; check the state directory";
			this.#stateProblem = this.#problem("damaged-state", message, hint, this.#store.file);
		}
		return documents;
	}

	#presentLength(): number {
		return this.#parsed.values().reduce((sum, { text }) => sum + text.length, 0);
	}

	#general(directory: PolicyDirectory): Diagnostic[] {
		const kept = new Set(directory.files.map((file) => file.path));
		for (const path of this.#parsed.keys()) if (!kept.has(path)) this.#parsed.delete(path);
		const general = this.#stateProblem === null ? [] : [this.#stateProblem];
		if (directory.problem === null) return general;
		const { code, message, hint } = directory.problem;
		return [...general, this.#problem(code, message, hint)];
	}

	#problem(code: string, message: string, hint: string, file = this.#settings.directory): Diagnostic {
		return {
			file,
			line: 1,
			column: 1,
			path: "",
			severity: "error",
			code,
			message,
			hint,
		};
	}
}

/** What was in force before stands in for a directory that is refused, where anything was. */
function withStanding(signature: SignatureReport | null, anything: boolean): SignatureReport | null {
	if (signature === null || signature.ok || !anything) return signature;
	return { ...signature, standing: signature.accepted === null ? "unknown" : "signed" };
}

/** Test cases lie beside policies and are none: the daemon has no use for them. */
function policiesIn({ documents }: ParsedFile): readonly ParsedDocument[] {
	return documents.filter(({ kind }) => !registeredKinds.isAside(kind));
}

function select(entry: EnforcedDocument, labels: Readonly<Record<string, string>>): Candidate {
	return { entry, ...matchSelector(entry.document.policy.nodeSelector, labels) };
}

function policiesOf(candidates: readonly Candidate[]): Policy[] {
	return candidates.map((candidate) => candidate.entry.document.policy);
}

function unreadable(file: string, problem: { code: string; message: string; hint: string }): ParsedDocument {
	const place = { file, line: 1, column: 1 };
	return {
		index: 0,
		place,
		source: "",
		firstLine: 1,
		kind: null,
		name: null,
		policy: null,
		diagnostics: [{ ...place, path: "", severity: "error", ...problem }],
	};
}

/** Puts together what is known of each document; diagnostics of the compiler go to the document they lie in. */
function report(
	resolved: LastGoodResult,
	candidates: readonly Candidate[],
	enforced: readonly Candidate[],
	general: readonly Diagnostic[],
): { documents: DocumentReport[]; rest: Diagnostic[] } {
	const inForce = new Set(enforced.map((candidate) => candidate.entry.document));
	const byDocument = new Map(candidates.map((candidate) => [candidate.entry.document, candidate]));
	const drafts = resolved.statuses.map((status) => {
		const stands = status.enforced;
		const candidate = stands === null ? undefined : byDocument.get(stands);
		const policy = stands?.policy ?? status.document.policy;
		return {
			name: stands?.name ?? status.document.name ?? "",
			kind: status.document.kind ?? stands?.kind ?? "",
			file: status.document.place.file,
			line: status.document.place.line,
			selected: candidate?.selected ?? false,
			enforced: stands !== null && inForce.has(stands),
			origin: status.state === "current" || status.state === "last-good" ? status.state : ("none" as const),
			action: policy?.action ?? null,
			diagnostics: [...status.diagnostics, ...(candidate?.diagnostics ?? [])],
		};
	});
	const byFile = Map.groupBy(drafts, (draft) => draft.file);
	const rest: Diagnostic[] = [];
	for (const diagnostic of general) {
		const owner = byFile.get(diagnostic.file)?.findLast((draft) => draft.line <= diagnostic.line);
		(owner?.diagnostics ?? rest).push(diagnostic);
	}
	return { documents: drafts, rest };
}
