/**
 * The compiled model as nftables objects. Every value is rendered from typed
 * fields: numbers, addresses, checked interface names and digests. Text of
 * policies appears only in comments, reduced to harmless characters.
 */

import type { Direction, Family } from "../../../../base/model.ts";
import { isPlainInterface } from "../../../../document/iface.ts";
import { interfaceMatches } from "../atom.ts";
import { type CompiledRule, type NetworkPlan, namesMembers, type RulesetForm } from "../plan.ts";
import type { DirectionProgram, NetworkModel, Sequences, Vrf } from "../program.ts";
import type { Step } from "../table.ts";
import { acceptRelated, addEssentials } from "./essentials.ts";
import { guardBoxes, guardRules } from "./guard.ts";
import { type LookupContext, stepRules } from "./lookups.ts";
import { ObjectStore } from "./objects.ts";
import { withinVrfs } from "./vrf.ts";

export interface RenderOptions {
	/** [a-z0-9]{1,16}; part of every name but those of counters. */
	readonly epoch: string;
	readonly form: RulesetForm;
	/** Cells from which on blocks of one length go into a hash table, 1 or more. */
	readonly hashFrom: number;
	readonly essentials: boolean;
	/** What becomes of packets that belong to another flow; `policy` where it is left out. */
	readonly related?: "policy" | "accept";
	/** What becomes of packets that belong to no flow where a direction has rules; `drop` where it is left out. */
	readonly invalidPackets?: "drop" | "accept";
	/** The VRFs of this host: packets within one are loopback. None where it is left out. */
	readonly vrfs?: readonly Vrf[];
	/** 1..65535. */
	readonly nflogGroup: number;
	/** Packets per second that one rule hands to NFLOG, and the burst before the limit holds. */
	readonly logLimit: { readonly rate: number; readonly burst: number };
}

export interface Rendered {
	readonly plan: NetworkPlan;
	/** Map elements that lead to each rule, by rule id; "" for membership sets. */
	readonly cost: ReadonlyMap<string, number>;
}

/** What stands for a rule's id in the log of packets in the midst of untracked connections; no rule has it. */
export const midstreamId = "midstream";
export const midstreamCounter = "midstream_egress";

/** Bytes of a packet that NFLOG copies: IPv6 with extension headers and the transport header. */
const snapLength = 160;

const queueThreshold = 64;

/** NFTNL_UDATA comment limit is 128 bytes with its NUL; the rest of the comment is fixed and short. */
const commentNameBytes = 80;

/** A policy's name with everything but plain name characters replaced, cut to fit a comment. */
function commentName(name: string): string {
	return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, commentNameBytes);
}

export function renderModel(model: NetworkModel, options: RenderOptions): Rendered {
	const store = new ObjectStore(options.epoch);
	const cost = new Map<string, number>();
	const blocks = [model.ingress, model.egress].some(({ rules, posture }) =>
		[...rules, posture].some((rule) => rule?.action === "Block"),
	);
	const direction = (name: Direction) =>
		renderDirection(store, model[name], name, { ...options, blocks }, cost);
	const ingress = direction("ingress");
	const egress = direction("egress");
	const objects = store.objects;
	const both = <T>(of: (program: DirectionProgram) => T) => ({
		ingress: of(model.ingress),
		egress: of(model.egress),
	});
	const rules = [model.ingress, model.egress].flatMap((program) =>
		program.posture === null ? program.rules : [...program.rules, program.posture],
	);
	const plan: NetworkPlan = {
		objects,
		roots: { ingress, egress },
		...(namesInterfaces(model.egress) ? { egressHook: "postrouting" as const } : {}),
		rules,
		elements: objects.reduce((sum, object) => sum + object.elements, 0),
		allowlistMode: both((program) => program.allowlistMode),
		defaultDrop: both((program) => program.posture?.action === "Block"),
		guard: {
			ingress: guardRules(guardBoxes(model.ingress), "ingress"),
			egress: guardRules(guardBoxes(model.egress), "egress"),
		},
		failsafe: [...model.ingress.failsafe, ...model.egress.failsafe].map(({ planned }) => planned),
	};
	return { plan, cost };
}

/**
 * What a packet's interface is looked up by, the first that a rule names. In a VRF a packet comes in by the VRF, as the
 * kernel has it, and by the member that it really came by, which older kernels do not tell.
 */
function interfaceNames(direction: Direction, form: RulesetForm): readonly string[] {
	if (direction === "egress") return ["oifname"];
	return namesMembers(form) ? ["meta sdifname", "iifname"] : ["iifname"];
}

/** Whether any rule of a direction looks at the interface. */
function namesInterfaces(program: DirectionProgram): boolean {
	const { literals, prefixes, failsafe } = program;
	return literals.length + prefixes.length > 0 || failsafe.some(({ match }) => match.interface !== null);
}

/** The chain that counts, logs and decides packets of one rule. */
function addLeaf(store: ObjectStore, rule: CompiledRule, options: RenderOptions): string {
	const { rate, burst } = options.logLimit;
	const log =
		rule.logCounter === null
			? ""
			: ` limit rate ${rate}/second burst ${burst} packets counter name "${rule.logCounter}"` +
				` log prefix "pw:${rule.id}" group ${options.nflogGroup} snaplen ${snapLength} queue-threshold ${queueThreshold}`;
	const verdict = rule.action === "Block" ? "drop" : "accept";
	const lines = [`counter name "${rule.counter}"${log}`, `${verdict} comment "${ruleComment(rule)}"`];
	return store.add("chain", lines);
}

/**
 * A packet that this host sends in the midst of a TCP connection that nobody tracks opens no flow: it would be taken
 * for this host's own connection, and whatever the other end sends after that for its answers. Such packets are
 * dropped and told to the daemon, which enters the connection into connection tracking if the policies let it pass;
 * what was dropped is sent again.
 */
function addMidstream(store: ObjectStore, { nflogGroup }: RenderOptions): string {
	store.counter(midstreamCounter);
	return store.add("chain", [
		`limit rate 5/second burst 5 packets log prefix "pw:${midstreamId}" group ${nflogGroup} snaplen 64 queue-threshold 1`,
		`counter name "${midstreamCounter}" drop`,
	]);
}

function ruleComment(rule: CompiledRule): string {
	const index = rule.index < 0 ? "" : `[${rule.index}]`;
	return `${commentName(rule.policy)} ${rule.direction}${index} ${rule.action}`;
}

function renderDirection(
	store: ObjectStore,
	program: DirectionProgram,
	direction: Direction,
	options: RenderOptions & {
		/** Some packet is blocked, of whatever direction. */
		readonly blocks: boolean;
	},
	cost: Map<string, number>,
): string {
	store.counter(`invalid_${direction}`);
	for (const { planned } of program.failsafe) store.counter(planned.counter);
	for (const rule of program.posture === null ? program.rules : [...program.rules, program.posture]) {
		store.counter(rule.counter);
		if (rule.logCounter !== null) store.counter(rule.logCounter);
	}
	// A rule whose packets are all accepted by a counter map has no chain.
	const leaves = new Map<number, string>();
	const leaf = (rank: number): string => {
		const rule = program.rules[rank];
		if (rule === undefined) throw new RangeError("no rule of this rank");
		const chain = leaves.get(rank) ?? addLeaf(store, rule, options);
		leaves.set(rank, chain);
		return chain;
	};
	const end = program.posture === null ? "accept" : `goto ${addLeaf(store, program.posture, options)}`;
	const context = (family: Family): LookupContext => ({
		store,
		form: options.form,
		family,
		direction,
		hashFrom: options.hashFrom,
		leaf,
		silent: (rank) => {
			const rule = program.rules[rank];
			if (rule === undefined || rule.logCounter !== null) return null;
			return { counter: rule.counter, comment: ruleComment(rule) };
		},
		count: (rank) => {
			const id = program.rules[rank]?.id ?? "";
			cost.set(id, (cost.get(id) ?? 0) + 1);
		},
	});
	const contexts = { 4: context(4), 6: context(6) };
	const rendered = new Map<readonly Step[], string>();
	const sequence = (sequences: Sequences, family: Family): string => {
		const steps = sequences[family];
		if (steps.length === 0) return end;
		const known = rendered.get(steps);
		if (known !== undefined) return known;
		const rules = steps.flatMap((step) => stepRules(contexts[family], step));
		const verdict = `goto ${store.add("chain", [...rules, end])}`;
		rendered.set(steps, verdict);
		return verdict;
	};
	const judges = program.rules.length > 0 || program.posture !== null;
	const invalid = options.invalidPackets === "accept" ? "" : " drop";
	const midstream = direction === "egress" && options.blocks ? addMidstream(store, options) : null;
	// The family is asked first: every comparison that a flow is spared counts.
	const root = (family: Family): string => {
		const rules = options.essentials ? [...addEssentials(store, direction, family)] : [];
		if (options.related === "accept") rules.push(...acceptRelated(family));
		// Without any rule nothing is dropped: hosts on asymmetric paths see half of their flows.
		if (judges) rules.push(`ct state invalid counter name "invalid_${direction}"${invalid}`);
		const failsafe = program.failsafe.filter(({ match }) => (match.cidr?.family ?? family) === family);
		for (const { match, planned } of failsafe) {
			rules.push(planned.text);
			if (match.interface === null) continue;
			if (direction === "ingress") {
				if (namesMembers(options.form)) rules.push(planned.text.replace(/^iifname/, "meta sdifname"));
				continue;
			}
			// What a VRF's rule means leaves by a member.
			for (const [member, vrf] of program.vrfOf) {
				if (!interfaceMatches(match.interface, [vrf]) || !isPlainInterface(member)) continue;
				rules.push(planned.text.replace(/^oifname "[^"]*"/, `oifname "${member}"`));
			}
		}
		rules.push(`jump ${endedChain(direction)}`);
		// What is invalid or untracked opens no flow.
		if (midstream !== null) rules.push(`tcp flags & syn == 0 ct state new goto ${midstream}`);
		const members = program.members.filter(({ name }) => isPlainInterface(name));
		const inVrf = new Map([...program.literals, ...members].map((group) => [group.name, group]));
		for (const name of interfaceNames(direction, options.form)) {
			// A packet comes in by the member beside its VRF, and goes out by the member alone.
			const literals = [...(name === "iifname" ? program.literals : inVrf.values())].map(
				(literal) => `"${literal.name}" : ${sequence(literal.sequences, family)}`,
			);
			if (literals.length > 0) rules.push(`${name} vmap { ${literals.join(", ")} }`);
			for (const prefix of program.prefixes) {
				rules.push(`${name} "${prefix.name}*" ${sequence(prefix.sequences, family)}`);
			}
		}
		return store.add("chain", [...rules, sequence(program.others, family)]);
	};
	const families = [`meta nfproto ipv4 goto ${root(4)}`, `goto ${root(6)}`];
	return store.add("chain", [...withinVrfs(store, direction, options), ...families]);
}

/** The chain of the table's stable part that drops what belongs to ended connections; empty while there are none. */
export function endedChain(direction: Direction): string {
	return `ended_${direction}`;
}
