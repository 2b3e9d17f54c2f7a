/**
 * From the policy directory to a plan, in a Worker: what is on disk, what was
 * good before, what is meant for this host, and what that means to the kernel.
 */

import { join } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Config } from "../config/model.ts";
import type { Kinds } from "../document/kind.ts";
import { matchSelector, nodeLabels } from "../document/labels.ts";
import { type ParsedDocument, type ParsedFile, parseDocuments } from "../document/parse.ts";
import type { Enforcer, Known } from "../enforcers/contract/enforcer.ts";
import type { DocumentReport } from "../enforcers/contract/reading.ts";
import { type PolicyDirectory, PolicyDirectoryReader, type PolicyFile } from "../source/policy-directory.ts";
import { isPendingState, neverConfirmed, settledState, snapshotDirectory } from "../state/pending-record.ts";
import {
	type DiskFile,
	type EnforcedDocument,
	type LastGood,
	type LastGoodResult,
	resolveLastGood,
} from "./collection.ts";
import { type Candidate, compileOrKeep, findingsOf, keepBefore, type Requests } from "./compile-set.ts";
import { enforcers, kindsOf } from "./enforcers.ts";
import { Groups } from "./groups/groups.ts";
import { LastGoodStore } from "./last-good.ts";
import type { PolicySettings, Reloaded, SignatureReport, Wishes } from "./reading.ts";
import { SignedPolicies } from "./signed-policies.ts";
import { checkTests, type TestReport } from "./testing/gate.ts";

/** What an enforcer has of the policies that are meant for this host. */
export interface Standing<Part, Kept> {
	readonly parts: readonly Part[];
	/** Null where no set could be compiled. */
	readonly kept: Kept | null;
}

export class PolicyEngine {
	readonly #settings: PolicySettings;
	readonly #enforcers: readonly Enforcer[];
	readonly #kinds: Kinds;
	readonly #signed: SignedPolicies;
	readonly #store: LastGoodStore;
	readonly #groups: Groups;
	#parsed = new Map<string, { text: string; ignores: boolean; file: ParsedFile }>();
	/** In force, or read from the state directory by the first reload. */
	#lastGood: readonly LastGood[] | null = null;
	/** Found by the last reload, to be kept once it is in force. */
	#pending: readonly LastGood[] = [];
	/** What was read is what the plan was made of, not its last good version. */
	#asRead = false;
	/** The set that was read last was refused as a whole. */
	#refused = false;
	/** By the enforcer's name: what its last set that could be compiled left to be asked, and the parts that stand. */
	readonly #kept = new Map<string, unknown>();
	#standing = new Map<string, readonly unknown[]>();
	#stateProblem: Diagnostic | null = null;
	#enforced: readonly EnforcedDocument[] = [];
	/** What the last reload said of each document. */
	readonly #said = new WeakMap<ParsedDocument, DocumentReport>();
	/** Characters parsed in this Worker's life. */
	#parsedLength = 0;

	constructor(settings: PolicySettings, registered: readonly Enforcer[] = enforcers) {
		this.#settings = settings;
		this.#enforcers = registered;
		this.#kinds = kindsOf(registered);
		const pends = isPendingState(settings.stateDirectory, settings.config);
		const unconfirmed =
			settings.directory === snapshotDirectory(settings.config.stateDir) ? neverConfirmed : null;
		const reader = new PolicyDirectoryReader(settings.directory, settings, unconfirmed);
		this.#signed = new SignedPolicies(reader, !pends);
		// What shrank by more than a group allows is refused while it pends, not once it is confirmed.
		const before = pends ? settledState(settings.config) : null;
		this.#store = new LastGoodStore(settings.stateDirectory, this.#kinds, before);
		const { directory, checkPermissions, config } = settings;
		this.#groups = new Groups({ directory, origin: config.policyDir, checkPermissions });
	}

	/** What an enforcer has of the policies that the last reload found to be enforced, last good versions included. */
	standing<Part, Kept>({ name }: Known<Part, Kept>): Standing<Part, Kept> {
		// What is under its name came out of its own reader and compiler.
		const parts = (this.#standing.get(name) ?? []) as readonly Part[];
		return { parts, kept: (this.#kept.get(name) ?? null) as Kept | null };
	}

	/** The same of every enforcer; of one whose set was never compiled there is nothing. */
	get standingParts(): readonly { enforcer: Enforcer; parts: readonly unknown[]; kept: unknown }[] {
		return this.#enforcers.map((enforcer) => ({ enforcer, ...this.standing(enforcer) }));
	}

	/** The policies that the last reload found to be enforced on this host. */
	get enforced(): readonly EnforcedDocument[] {
		return this.#enforced;
	}

	/** Where they are read. */
	get directory(): string {
		return this.#settings.directory;
	}

	/** Whether it is made for these directories. */
	reads({ directory, stateDirectory }: PolicySettings): boolean {
		return this.#settings.directory === directory && this.#settings.stateDirectory === stateDirectory;
	}

	/** Reads what is on disk and compiles it; `config` and the host's name may have changed since the last time. */
	reload(config: Config, wishes: Wishes = {}, hostname: string = this.#settings.hostname): Reloaded {
		const { directory, signature: found, warning } = this.#signed.read(config);
		const parsed = directory.files.map((file) => this.#parse(file, config));
		const lastGood = this.#lastGood ?? this.#readLastGood(parsed);
		this.#lastGood = lastGood;
		const signature = withStanding(found, lastGood.length > 0);
		const onDisk = { files: parsed, directoryVanished: directory.problem !== null, lastGood };
		const linked = this.#groups.linkFiles(onDisk, config.policySignature === "off" ? null : directory.feeds);
		const resolved = resolveLastGood(linked);
		const labels = nodeLabels(config.nodeLabels, { hostname, arch: process.arch });
		const candidates = resolved.enforce.map((entry) => select(entry, labels));
		const before = lastGood.map((saved) =>
			select({ path: saved.path, document: saved.document, origin: "last-good" }, labels),
		);
		const tests = directory.problem === null ? this.#test(directory, candidates, config, hostname) : null;
		const standsBefore = lastGood.length === 0 ? null : before.filter(({ selected }) => selected);
		const request: Requests = ({ name }) => ({ config, purpose: "enforce", wish: wishes[name] ?? null });
		const compiled =
			tests?.refuses === true
				? keepBefore(standsBefore, this.#enforcers, request)
				: compileOrKeep(
						candidates.filter(({ selected }) => selected),
						standsBefore,
						this.#enforcers,
						request,
					);
		this.#asRead = !compiled.refused && directory.problem === null;
		this.#refused = compiled.refused;
		this.#enforced = compiled.enforced.map(({ entry }) => entry);
		this.#pending = compiled.refused ? lastGood : resolved.lastGood;
		const diagnostics = [
			...this.#general(directory),
			...linked.diagnostics,
			...(warning === null
				? []
				: [{ ...this.#problem(warning.code, warning.message, warning.hint), severity: "warning" as const }]),
			...compiled.parts.flatMap((part) => findingsOf(part, config, this.#settings.directory)),
		];
		const { documents, rest } = report(resolved, candidates, compiled.enforced, diagnostics);
		for (const [place, { document }] of resolved.statuses.entries())
			this.#asBefore(documents, place, document);
		const complete =
			!compiled.refused &&
			directory.problem === null &&
			linked.feeds.every(({ state }) => state !== "unusable") &&
			resolved.statuses.every((status) => status.state !== "rejected");
		// Policies that are refused must not empty what an earlier daemon may have left in force.
		const taken = signature?.ok !== false && tests?.refuses !== true;
		const mayEnforce = taken || lastGood.length > 0;
		const sent: Record<string, unknown> = {};
		for (const { enforcer, parts, staged, result } of compiled.parts) {
			this.#standing.set(enforcer.name, parts);
			if (result.ok) this.#kept.set(enforcer.name, result.kept);
			const plan = result.ok && mayEnforce ? result.plan : null;
			sent[enforcer.name] = enforcer.send(plan, parts, { config, complete, staged });
		}
		return {
			documents,
			diagnostics: [
				...rest,
				...(tests?.findings ?? []),
				...documents.flatMap((document) => document.diagnostics),
			],
			complete,
			lastGood:
				compiled.refused ||
				linked.feeds.some(({ state }) => state === "last-good") ||
				resolved.statuses.some((status) => status.state === "last-good"),
			withheld: !mayEnforce || compiled.parts.some(({ result }) => !result.ok),
			signature,
			tests,
			feeds: linked.feeds,
			nodeLabels: { ...labels },
			parsed: { ever: this.#parsedLength, present: this.#presentLength() },
			sent,
		};
	}

	/** The set that the last reload returned is in force. */
	keep(): string | null {
		this.#lastGood = this.#pending;
		// A set that was refused leaves the lists of the one before in force, too.
		if (!this.#refused) this.#groups.keep();
		const unsaved = this.#store.write(this.#pending, this.#groups.kept);
		return unsaved ?? (this.#asRead ? this.#signed.inForce() : null);
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
		const parsed = same ? known.file : parseDocuments(name, text, this.#kinds, config);
		this.#parsed.set(path, { text, ignores, file: parsed });
		return {
			path: file.path,
			state: parsed.syntaxBroken ? "broken" : "ok",
			documents: policiesIn(parsed, this.#kinds),
		};
	}

	/** The tests of this reading against what would be in force of it, last good versions included. */
	#test(
		{ files }: PolicyDirectory,
		candidates: readonly Candidate[],
		config: Config,
		hostname: string,
	): TestReport | null {
		const asides = files
			.filter(({ problem }) => problem === null)
			.flatMap(({ path }) => this.#parsed.get(path)?.file.documents ?? [])
			.filter(({ kind }) => this.#kinds.isAside(kind));
		const policies = candidates.map(({ entry }) => entry.document.policy);
		return checkTests(asides, policies, config, hostname);
	}

	/** What is said of a document is the same object while it is the same: so it need not go over to another thread again. */
	#asBefore(reports: DocumentReport[], place: number, document: ParsedDocument): void {
		const [said, now] = [this.#said.get(document), reports[place]];
		if (now === undefined) return;
		if (said !== undefined && Bun.deepEquals(said, now)) reports[place] = said;
		else this.#said.set(document, now);
	}

	#readLastGood(files: readonly DiskFile[]): readonly LastGood[] {
		const byPath = new Map(files.map((file) => [file.path, file.documents]));
		const { documents, lists, problem } = this.#store.read(this.#settings.directory, (path, source) =>
			byPath.get(path)?.find((document) => document.source === source),
		);
		this.#groups.restore(lists);
		if (problem !== null) {
			const message = `the last good policies are not known for sure: ${problem}`;
			const hint =
				"see whether what stands in for broken policies is what you mean; check the state directory";
			this.#stateProblem = this.#problem("damaged-state", message, hint, this.#store.file);
		}
		return documents;
	}

	#presentLength(): number {
		return this.#parsed.values().reduce((sum, { text }) => sum + text.length, this.#groups.length);
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

/** Test cases lie beside policies and are none: they are run, and never enforced. */
function policiesIn({ documents }: ParsedFile, kinds: Kinds): readonly ParsedDocument[] {
	return documents.filter(({ kind }) => !kinds.isAside(kind));
}

function select(entry: EnforcedDocument, labels: Readonly<Record<string, string>>): Candidate {
	return { entry, ...matchSelector(entry.document.policy.nodeSelector, labels) };
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
			enforced: stands !== null && inForce.has(stands) && stands.policy.staged === undefined,
			...(policy?.staged === true ? { mode: "staged" as const } : {}),
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
