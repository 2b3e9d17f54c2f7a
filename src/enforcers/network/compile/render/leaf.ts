/** The chains that decide packets, count them and tell of them. */

import { commented, counted, limited, logged } from "../../../../kernel/nftables/expressions.ts";
import { forwardedCounter, logPrefix, midstreamCounter, midstreamId } from "../../names.ts";
import type { CompiledRule, PlanObject } from "../plan.ts";
import type { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";

/** Of IPv6 with extension headers and the transport header. */
const ruleLog = { snapLength: 160, queueThreshold: 64 };

/** They are few, and wait for an answer. */
const midstreamLog = { snapLength: 64, queueThreshold: 1 };
const midstreamLimit = { rate: 5, burst: 5 };

/** The rest of a comment is fixed and short. */
const commentNameBytes = 80;

/** A policy's name with everything but plain name characters replaced, cut to fit a comment. */
function commentName(name: string): string {
	return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, commentNameBytes);
}

/** Names a rule in a listing of the kernel's. */
export function ruleComment(rule: CompiledRule): string {
	const index = rule.index < 0 ? "" : `[${rule.index}]`;
	return `${commentName(rule.policy)} ${rule.direction}${index} ${rule.action}`;
}

const knownCounters = new WeakMap<CompiledRule, readonly PlanObject[]>();

/** The counters that a rule's chain needs. */
export function addCounters(store: ObjectStore, rule: CompiledRule): void {
	const names = rule.logCounter === null ? [rule.counter] : [rule.counter, rule.logCounter];
	const counters = knownCounters.get(rule) ?? names.map((name): PlanObject => ({ kind: "counter", name }));
	knownCounters.set(rule, counters);
	for (const counter of counters) store.again(counter);
}

type LeafOptions = Pick<RenderOptions, "epoch" | "nflogGroup" | "logLimit">;

/**
 * Which packets meet the chain of a rule: this host's own, those that it forwards, or both, which share the maps that
 * lead to it.
 */
export type MetBy = "own" | "forwarded" | "both";

export interface LeafUse {
	readonly metBy: MetBy;
	/** What is forwarded passes, though the rule drops it. */
	readonly spared: boolean;
}

/** Of a rule that did not change: its chain did not, either. */
const known = new WeakMap<
	CompiledRule,
	Map<string, { readonly options: LeafOptions; readonly chain: PlanObject }>
>();

/** The chain that counts, logs and decides packets of one rule. */
export function addLeaf(store: ObjectStore, rule: CompiledRule, use: LeafUse, options: LeafOptions): string {
	// What a map counts and accepts at once has no chain, and is not counted apart.
	if (use.metBy !== "own") store.counter(forwardedCounter(rule.id));
	const chains = known.get(rule) ?? new Map();
	known.set(rule, chains);
	const key = `${use.metBy} ${use.spared}`;
	const before = chains.get(key);
	if (before !== undefined && isSame(before.options, options)) return store.again(before.chain);
	const name = store.chain(leafRules(rule, use, options));
	const chain = store.get(name);
	if (chain !== undefined) chains.set(key, { options, chain });
	return name;
}

function leafRules(rule: CompiledRule, { metBy, spared }: LeafUse, options: LeafOptions): string[] {
	const count = [counted(rule.counter)];
	if (rule.logCounter !== null) {
		const target = { prefix: logPrefix + rule.id, group: options.nflogGroup, ...ruleLog };
		count.push(limited(options.logLimit), counted(rule.logCounter), logged(target));
	}
	const comment = ruleComment(rule);
	const verdict = commented(rule.action === "Block" ? "drop" : "accept", comment);
	const told = count.join(" ");
	if (metBy === "own") return [told, verdict];
	const forwarded = counted(forwardedCounter(rule.id));
	const passes = spared && rule.action === "Block";
	if (metBy === "forwarded") return [`${forwarded} ${told}`, passes ? commented("accept", comment) : verdict];
	// Only what is forwarded has two interfaces where rules of this direction are met.
	const apart = `${rule.direction === "ingress" ? "meta oif != 0" : "meta iif != 0"} ${forwarded}`;
	return [told, passes ? `${apart} ${commented("accept", comment)}` : apart, verdict];
}

function isSame(a: LeafOptions, b: LeafOptions): boolean {
	if (a.epoch !== b.epoch || a.nflogGroup !== b.nflogGroup) return false;
	return a.logLimit.rate === b.logLimit.rate && a.logLimit.burst === b.logLimit.burst;
}

/**
 * A packet that this host sends in the midst of a TCP connection that nobody tracks opens no flow: it would be taken
 * for this host's own connection, and whatever the other end sends after that for its answers. Such packets are
 * dropped and told to the daemon, which enters the connection into connection tracking if the policies let it pass;
 * what was dropped is sent again.
 */
export function addMidstream(store: ObjectStore, { nflogGroup }: RenderOptions): string {
	store.counter(midstreamCounter);
	const target = { prefix: logPrefix + midstreamId, group: nflogGroup, ...midstreamLog };
	return store.chain([`${limited(midstreamLimit)} ${logged(target)}`, `${counted(midstreamCounter)} drop`]);
}
