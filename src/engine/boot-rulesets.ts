/** Where the ruleset of an early boot comes from: the best source first, the next only where it cannot be used. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/model.ts";
import { matchSelector, nodeLabels } from "../document/labels.ts";
import { type SentParts, sentTo } from "../enforcers/contract/enforcer.ts";
import { compileNetwork } from "../enforcers/network/compile/network.ts";
import { type NetworkPlan, type RulesetForm, withoutStaged } from "../enforcers/network/compile/plan.ts";
import { type NetworkWish, networkEnforcer } from "../enforcers/network/enforcer.ts";
import { networkPart } from "../enforcers/network/model.ts";
import { bootEpoch, readBootState } from "../enforcers/network/run/boot-state.ts";
import { compileOptions } from "../enforcers/network/run/compile-options.ts";
import { compileParts } from "./compile-set.ts";
import { bootFacts, enforcers } from "./enforcers.ts";
import { LastGoodStore } from "./last-good.ts";
import { parsePolicyFile } from "./parse.ts";
import { PolicyEngine } from "./policy-engine.ts";
import type { Wishes } from "./reading.ts";

export interface BootRuleset {
	/** Where it comes from, for the log. */
	readonly origin: string;
	/** Null where packets are not filtered. */
	readonly plan: NetworkPlan | null;
	/** What enforcers kept beside it: see Enforcer.boot. */
	readonly kept: Readonly<Record<string, boolean>>;
}

export interface BootSources {
	readonly config: Config;
	readonly stateDirectory: string;
	/** False where others than root may have written the state: nothing of it is believed. */
	readonly trusted: boolean;
	readonly checkPermissions: boolean;
	readonly hostname: string;
	/** What the kernel takes; asked only where something must be compiled. */
	readonly form: () => RulesetForm;
	/** Told why a source is passed over. */
	readonly problem: (message: string) => void;
}

/** How it ends when the caller could load none of what was offered. */
export type BootEnd =
	/** There never was anything to restore. */
	| "first-start"
	/** The settings want everything to pass where nothing is known. */
	| "open"
	| "unusable";

/** Offers rulesets until the caller has loaded one, and stops asking. */
export function* bootRulesets(sources: BootSources): Generator<BootRuleset, BootEnd> {
	const { config, problem, trusted } = sources;
	let known = !trusted;
	if (trusted) {
		for (const version of ["newest", "previous"] as const) {
			const saved = readBootState(sources.stateDirectory, version);
			if (saved.ok) {
				known = true;
				const origin = version === "newest" ? "the saved ruleset" : "the ruleset that was saved before it";
				yield { origin, plan: saved.state.plan, kept: saved.state.kept };
			} else if (saved.reason === "unusable") {
				known = true;
				problem(saved.message);
			}
		}
	}
	if (config.bootPolicy === "block") {
		const kept: Record<string, boolean> = {};
		for (const enforcer of enforcers) Object.assign(kept, enforcer.closed(config));
		yield { origin: "bootPolicy block", plan: blockPlan(config, sources.form()), kept };
		return "unusable";
	}
	if (config.bootPolicy === "open") return known ? "open" : "first-start";
	if (trusted) {
		const { ruleset, present } = lastGood(sources);
		known ||= present;
		if (ruleset !== null) yield ruleset;
	}
	if (!known) return "first-start";
	const onDisk = fromDirectory(sources);
	if (onDisk !== null) yield onDisk;
	return "unusable";
}

/** Everything is dropped but loopback, what is established, what a host needs on its network, and failsafe flows. */
export function blockPlan(config: Config, form: RulesetForm): NetworkPlan {
	const file = parsePolicyFile("bootPolicy", blockAll);
	const policies = networkPart.in(file.documents);
	const options = { ...compileOptions(config, bootEpoch, form, { counts: false }), essentials: true };
	const compiled = compileNetwork(policies, options);
	if (!compiled.ok || policies.length !== 1) throw new Error("the policy that blocks everything is broken");
	return compiled.plan;
}

const blockAll = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: boot-policy-block
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
  action: Block
  message: blocked until portward has loaded its policies
  ingress:
  - action: Block
  egress:
  - action: Block
`;

/** The documents that were in force when portward last kept them. */
function lastGood(sources: BootSources): { ruleset: BootRuleset | null; present: boolean } {
	const { config, stateDirectory, problem } = sources;
	const store = new LastGoodStore(stateDirectory);
	const { documents, problem: damage } = store.read(config.policyDir);
	if (damage !== null) problem(damage);
	if (documents.length === 0) return { ruleset: null, present: damage !== null || existsSync(store.file) };
	const labels = nodeLabels(config.nodeLabels, { hostname: sources.hostname, arch: process.arch });
	const selected = documents
		.map(({ document }) => document.policy)
		.filter((policy) => policy.staged === undefined && matchSelector(policy.nodeSelector, labels).selected);
	const wishes = bootWishes(sources.form());
	const sent: Record<string, unknown> = {};
	for (const { enforcer, parts, result } of compileParts(selected, enforcers, ({ name }) => ({
		config,
		purpose: "enforce",
		wish: wishes[name] ?? null,
	}))) {
		if (!result.ok) {
			problem(`the last good policies cannot be compiled: ${result.diagnostics[0]?.message ?? ""}`);
			return { ruleset: null, present: true };
		}
		sent[enforcer.name] = enforcer.send(result.plan, parts, { config, complete: true });
	}
	const plan = sentTo(networkEnforcer, sent)?.plan ?? null;
	return { ruleset: { origin: "the last good policies", plan, kept: keptFacts(sent) }, present: true };
}

/** Names that no running daemon gives. */
function bootWishes(form: RulesetForm): Wishes {
	// Nobody asked the kernel whether it can count flows, and nobody reads them yet.
	const wish: NetworkWish = { epoch: bootEpoch, form, counts: false };
	return { [networkEnforcer.name]: wish };
}

/** What is not known now is not in force. */
function keptFacts(sent: SentParts): Readonly<Record<string, boolean>> {
	const facts = Object.entries(bootFacts(sent));
	return Object.fromEntries(facts.map(([name, value]) => [name, value ?? false]));
}

/** Where nobody can put anything, root included (proc(5)). */
const nowhere = "/proc/portward";

/** What the agent itself would enforce in a moment. What was never confirmed is not among it. */
function fromDirectory(sources: BootSources): BootRuleset | null {
	const { config, checkPermissions, hostname, problem } = sources;
	const stateDirectory = sources.trusted ? sources.stateDirectory : nowhere;
	const confirmed = join(stateDirectory, "confirmed", "policies");
	const required = config.confirm === "required";
	if (required && !sources.trusted) return null;
	const directory = required ? confirmed : config.policyDir;
	const engine = new PolicyEngine({ directory, stateDirectory, checkPermissions, hostname, config });
	const { sent, complete, diagnostics } = engine.reload(config, bootWishes(sources.form()));
	const plan = sentTo(networkEnforcer, sent)?.plan ?? null;
	for (const { file, line, column, severity, message } of diagnostics) {
		if (severity === "error") problem(`${file}:${line}:${column}: ${message}`);
	}
	if (plan === null || (!complete && plan.rules.length === 0)) return null;
	return { origin: `the policies in ${directory}`, plan: withoutStaged(plan), kept: keptFacts(sent) };
}
