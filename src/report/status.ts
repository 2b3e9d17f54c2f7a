/** What the daemon knows about itself, and the /v1/status document built from it. Pure. */

import type { Diagnostic } from "../base/diagnostic.ts";
import { digest } from "../base/digest.ts";
import type { Generation } from "../base/generation.ts";
import type { Action } from "../base/model.ts";
import type { Confinement } from "./confinement.ts";
import type {
	EnforcerReport,
	EnforcerState,
	PolicyPart,
	RuleUse,
	StagedCount,
	StatusFields,
	Traffic,
} from "./contribution.ts";
import type { FeedState } from "./feed-status.ts";
import type { KubearmorApiState } from "./kubearmor-api-status.ts";
import type { SettingsState } from "./settings-status.ts";
import type { SignatureState } from "./signature-status.ts";
import { type SinkState, type SinkStatus, sinkStatus } from "./sink-status.ts";
import type { TestsState } from "./tests-status.ts";

/** One document of the policy directory, or one that is kept in force though its file broke. */
export interface PolicyState {
	readonly name: string;
	readonly kind: string;
	readonly file: string;
	readonly line: number;
	/** Its nodeSelector matches this host. */
	readonly selected: boolean;
	/** It is in force, be it as it is on disk or as its last good version. */
	readonly enforced: boolean;
	/** It is judged beside what is in force, and decides nothing; absent: it is to be in force. */
	readonly mode?: "staged";
	/** spec.action; null when no version of the document could be read. */
	readonly action: Action | null;
	readonly diagnostics: readonly Diagnostic[];
}

/** A change of policies that rolls back unless it is confirmed. */
export interface PendingState {
	readonly id: string;
	/** `apply`: a directory that was named. `directory`: a change of the policy directory itself. */
	readonly source: "apply" | "directory";
	/** The directory whose policies are in force until then. */
	readonly from: string;
	/** How long it was given, and what is left of that, rounded up. */
	readonly seconds: number;
	readonly secondsLeft: number;
	/** Who asked for it; null where nobody did but the directory changed. */
	readonly asker: {
		readonly uid: number;
		readonly pid: number;
		readonly session: { readonly connection: string; readonly opened: number } | null;
	} | null;
	/** The policy directory changed since, and that waits until the change is settled. */
	readonly waiting: boolean;
}

/** Whether what is enforced is what is on disk. `body` is the answer of /readyz, one line. */
export interface Readiness {
	readonly ready: boolean;
	readonly body: string;
}

/** panic-open stands: the network table lets everything pass. */
export interface PanicState {
	/** RFC 3339. */
	readonly since: string;
	/** One line of printable text. */
	readonly reason: string;
}

/** A snapshot that the daemon fills. */
export interface DaemonState {
	readonly version: string;
	readonly hostname: string;
	/** Null while the policies are enforced. */
	readonly panic: PanicState | null;
	/** Null while nothing waits for its confirmation. */
	readonly pending: PendingState | null;
	/** Whether the settings on disk are those in force. */
	readonly settings: SettingsState;
	/** Null where policies need no signature. */
	readonly signature: SignatureState | null;
	/** Null where no tests lie beside the policies. */
	readonly tests: TestsState | null;
	/** The files of groups of addresses. */
	readonly feeds: readonly FeedState[];
	/** System and configured labels merged. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	/** In the order in which status and page show them. */
	readonly enforcers: readonly EnforcerReport[];
	readonly policies: readonly PolicyState[];
	/** What changed in the policies, newest first. */
	readonly generations: readonly Generation[];
	/** Other systems that alerts go to, in the order of the settings. */
	readonly sinks: readonly SinkState[];
	/** Of the status endpoint; `expires` in milliseconds since the epoch. */
	readonly certificates: readonly { readonly name: string; readonly expires: number }[];
	/** Null where KubeArmor's log service is switched off. */
	readonly kubearmorApi: KubearmorApiState | null;
	/** What the daemon cannot do, whoever tells it to. */
	readonly confinement: Confinement;
	/** What the operator should know, such as that forwarded traffic is not covered. */
	readonly warnings: readonly string[];
	readonly readiness: Readiness;
}

/** One policy as /v1/status shows it. */
export interface PolicyStatus extends Omit<PolicyState, "mode">, Traffic {
	readonly mode: "enforced" | "staged";
	/** Null where the answer has too many already. */
	readonly rules: readonly RuleStatus[] | null;
	/** Null where it is not staged, or not evaluated. */
	readonly staged: StagedCount | null;
}

/** One rule as /v1/status shows it, below its policy. */
export interface RuleStatus extends Omit<RuleUse, "policy" | "since" | "lastMatch"> {
	/** RFC 3339. */
	readonly since: string;
	readonly lastMatch: string | null;
}

/** What is the same whatever enforces, and beside it the fields that enforcers have of their own. */
export interface StatusDocument extends StatusFields {
	readonly version: string;
	readonly hostname: string;
	readonly panic: PanicState | null;
	/** Whether the settings on disk are those in force. */
	readonly settings: SettingsState;
	/** Null where policies need no signature. */
	readonly signature: SignatureState | null;
	/** Null where no tests lie beside the policies. */
	readonly tests: TestsState | null;
	readonly groups: readonly FeedState[];
	/** Null while nothing waits for its confirmation. */
	readonly pending: PendingState | null;
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly ready: Readiness;
	readonly enforcers: Readonly<Record<string, EnforcerState>>;
	readonly policies: readonly PolicyStatus[];
	readonly sinks: readonly SinkStatus[];
	readonly kubearmorApi: KubearmorApiState | null;
	readonly confinement: Confinement;
	readonly warnings: readonly string[];
	/** Absent where all policies are in the answer and nobody asked for a part of them. */
	readonly page?: PageStatus;
}

/** Which policies are asked for, of those in the policy directory. */
export interface PageRequest {
	readonly offset: number;
	readonly limit: number;
}

/** Which policies an answer has. */
export interface PageStatus extends PageRequest {
	/** Policies on all pages. */
	readonly total: number;
	/** Names the list that this is a page of: where the next page has another, policies came or went in between. */
	readonly list: string;
}

/** Policies in an answer where nobody asks for a part of them; up to these it has all. */
export const defaultPage = 1000;
/** And where somebody does, at most. */
export const longestPage = 10_000;

/**
 * `enforced`: as on disk. `last_good`: broken on disk, its last good version in force.
 * `invalid`: broken and not in force. `not_selected`: valid, for other hosts.
 * `refused`: valid and selected, yet not in force (no enforcer, too many elements). `staged`: judged, and not in force.
 */
export const policyConditions = [
	"enforced",
	"last_good",
	"invalid",
	"not_selected",
	"refused",
	"staged",
] as const;
export type PolicyCondition = (typeof policyConditions)[number];

export function policyCondition(
	policy: Omit<PolicyState, "mode"> & { readonly mode?: PolicyStatus["mode"] },
): PolicyCondition {
	const broken = policy.diagnostics.some((diagnostic) => diagnostic.severity === "error");
	if (policy.mode === "staged" && policy.selected) return "staged";
	if (policy.enforced) return broken ? "last_good" : "enforced";
	if (broken) return "invalid";
	return policy.selected ? "refused" : "not_selected";
}

/**
 * The documents as status shows them. One is in force where everybody who reads its kind has what he made of it in
 * force; a kind that nobody reads is in force nowhere.
 */
export function policyStates(
	documents: readonly PolicyState[],
	enforcers: readonly EnforcerReport[],
): PolicyState[] {
	return documents.map((document) => {
		const { name, kind, file, line, selected, enforced, mode, action, diagnostics } = document;
		const parts = partsOf(document, enforcers);
		const active = parts.length > 0 && parts.every((part) => part.active);
		const known = { name, kind, file, line, selected, enforced: enforced && active, action, diagnostics };
		return mode === undefined ? known : { ...known, mode };
	});
}

function partsOf(
	policy: Pick<PolicyState, "name" | "kind">,
	enforcers: readonly EnforcerReport[],
): PolicyPart[] {
	return enforcers.map((enforcer) => enforcer.policy(policy)).filter((part) => part !== null);
}

const actions: readonly Action[] = ["Allow", "Audit", "Block"];
const nothing: Traffic = { packets: 0, bytes: 0, decisions: {} };

/**
 * What was counted for a policy; null where nobody counts packets for its kind. A policy that is not in force has
 * counted nothing, whoever else bears its name.
 */
export function trafficOf(
	policy: Pick<PolicyState, "name" | "kind" | "enforced">,
	enforcers: readonly EnforcerReport[],
): Traffic | null {
	const counted = partsOf(policy, enforcers).flatMap(({ traffic }) => (traffic === null ? [] : [traffic]));
	const [first, ...rest] = counted;
	if (first === undefined) return null;
	return policy.enforced ? rest.reduce(added, first) : nothing;
}

function added(a: Traffic, b: Traffic): Traffic {
	const decisions: Partial<Record<Action, number>> = { ...a.decisions };
	for (const action of actions) {
		const packets = b.decisions[action];
		if (packets !== undefined) decisions[action] = (decisions[action] ?? 0) + packets;
	}
	return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes, decisions };
}

/** Rules in an answer: where policies have more, a smaller page tells of them. */
const mostRules = 20_000;

/** The rules of each policy in its order, as far as there is room. */
function rulesOf(policies: readonly PolicyState[], enforcers: readonly EnforcerReport[]) {
	let room = mostRules;
	return policies.map((policy): readonly RuleStatus[] | null => {
		const rules = policy.enforced ? partsOf(policy, enforcers).flatMap((part) => part.rules) : [];
		if (rules.length > room) return null;
		room -= rules.length;
		return rules.map(({ direction, index, action, packets, since, lastMatch }) => ({
			direction,
			index,
			action,
			packets,
			since: new Date(since).toISOString(),
			lastMatch: lastMatch === null ? null : new Date(lastMatch).toISOString(),
		}));
	});
}

/** How a staged policy fares with all that read its kind; null where nobody evaluates it. */
export function stagedOf(policy: PolicyState, enforcers: readonly EnforcerReport[]): StagedCount | null {
	if (policy.mode !== "staged" || !policy.selected) return null;
	const [first, ...rest] = partsOf(policy, enforcers).flatMap(({ staged }) => staged ?? []);
	if (first === undefined) return null;
	const sum = (of: (count: StagedCount) => number) => rest.reduce((all, count) => all + of(count), of(first));
	return {
		evaluated: sum(({ evaluated }) => evaluated),
		wouldBlock: sum(({ wouldBlock }) => wouldBlock),
		sinceGeneration: first.sinceGeneration,
		since: first.since,
	};
}

/** The /v1/status document. @param asked null for all policies, as far as `defaultPage` goes */
export function statusDocument(state: DaemonState, asked: PageRequest | null = null): StatusDocument {
	const { enforcers } = state;
	const page = pageOf(state.policies, asked);
	const policies =
		page === null ? state.policies : state.policies.slice(page.offset, page.offset + page.limit);
	const rules = rulesOf(policies, enforcers);
	const fields = (of: (enforcer: EnforcerReport) => StatusFields): StatusFields =>
		Object.fromEntries(enforcers.flatMap((enforcer) => Object.entries(of(enforcer))));
	return {
		version: state.version,
		hostname: state.hostname,
		panic: state.panic,
		pending: state.pending,
		settings: { problem: state.settings.problem, restart: state.settings.restart },
		signature: state.signature,
		tests: state.tests,
		groups: state.feeds,
		nodeLabels: state.nodeLabels,
		ready: { ready: state.readiness.ready, body: state.readiness.body },
		enforcers: Object.fromEntries(enforcers.map(({ name, state }) => [name, state])),
		...fields(({ sums }) => sums),
		policies: policies.map((policy, position) => ({
			name: policy.name,
			kind: policy.kind,
			file: policy.file,
			line: policy.line,
			selected: policy.selected,
			enforced: policy.enforced,
			mode: policy.mode ?? "enforced",
			action: policy.action,
			...(trafficOf(policy, enforcers) ?? nothing),
			rules: rules[position] ?? null,
			staged: stagedOf(policy, enforcers),
			diagnostics: policy.diagnostics,
		})),
		...fields(({ findings }) => findings),
		sinks: state.sinks.map(sinkStatus),
		kubearmorApi: state.kubearmorApi,
		confinement: state.confinement,
		warnings: state.warnings,
		...(page === null ? {} : { page }),
	};
}

/** Null where the answer is the whole. */
function pageOf(policies: readonly PolicyState[], asked: PageRequest | null): PageStatus | null {
	if (asked === null && policies.length <= defaultPage) return null;
	const { offset, limit } = asked ?? { offset: 0, limit: defaultPage };
	const list = digest(...policies.map(({ name, file, line }) => `${file}:${line} ${name}`));
	return { offset, limit, total: policies.length, list };
}
