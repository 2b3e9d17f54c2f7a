/**
 * What the compiler hands to the kernel side: nftables objects named by a
 * digest of their content. Two plans share the objects that did not change, so
 * a reload loads only what is new. Plain data: it crosses Worker boundaries.
 */

import type { Place } from "../../../base/diagnostic.ts";
import type { Action, Direction } from "../../../base/model.ts";
import type { Chain, Counter, NftMap, NftSet, Quota } from "../../../kernel/nftables/objects.ts";
import type { ConnectionLimit, RateLimit } from "../model.ts";

import type { NamedSender } from "./sender.ts";

/**
 * `concatenated`: interval sets over concatenations (kernel 5.6+). `nested`: plain interval maps only.
 * `nested-members`: the same where the kernel tells the member of a VRF that a packet came by (5.6+ as well, so on
 * mainline kernels that is where the settings ask for `nested`, or another part of `concatenated` is missing).
 */
export type RulesetForm = "concatenated" | "nested-members" | "nested";

/** Whether the kernel tells the member of a VRF that a packet came by. */
export function namesMembers(form: RulesetForm): boolean {
	return form !== "nested";
}

/**
 * Where egress is judged. `postrouting` where rules name interfaces: in `output` the interface is the one of before any
 * translation or rerouting. Undefined is `output`, as in rulesets that earlier versions saved.
 */
export type EgressHook = "output" | "postrouting" | undefined;

/** Named uniquely in the table, [a-z0-9_]+. */
export type PlanObject = Chain | Counter | NftMap | NftSet | Quota;

/** Where a plan has its objects, which are JSON's: what CarrySender is told. */
export const planObjects = "/objects";

/** Where packets that a rule (or the default posture) decided are counted and attributed. */
export interface CompiledRule {
	/** [a-z0-9_]{1,32}: unique for this meaning, equal across generations while the meaning stays; it is what NFLOG prefixes carry. */
	readonly id: string;
	/** "DefaultPosture" for the posture. */
	readonly policy: string;
	/** -1 for the posture. */
	readonly index: number;
	readonly direction: Direction;
	/** What becomes of its packets. */
	readonly action: Action;
	/** What it says and `enforcement: audit` keeps from happening; absent where it does as it says. */
	readonly wouldBe?: "Block";
	readonly severity: number;
	readonly tags: readonly string[];
	readonly message: string;
	/** Null for the posture. */
	readonly place: Place | null;
	/** Named counter of every packet that the rule decided. */
	readonly counter: string;
	/** Named counter of those among them that were forwarded; absent where none are, or where a map counts and accepts at once. */
	readonly forwardedCounter?: string;
	/** What makes it part of what is staged: the staged policies that would have to be promoted; none for the staged posture. */
	readonly staged?: readonly string[];
	/** Of what it says should be dropped, the forwarded packets pass: `guests.forwarded` is `audit`. */
	readonly sparesForwarded?: true;
	/** What its policy holds for; absent: the host and its guests. */
	readonly appliesTo?: "host" | "guests";
	/** How much it decides about; absent: everything that it matches. */
	readonly limits?: readonly CompiledLimit[];
	/** Of what a rule's limit leaves to this one: why. */
	readonly limit?: LimitReason;
	/** Of its users, or of its groups, this host knows none: no packet meets it. */
	readonly forNobody?: true;
	/** Named counter of the packets handed to NFLOG after the kernel's rate limit; null for Allow. */
	readonly logCounter: string | null;
}

/** Why a packet met a limit's own rule. */
export interface LimitReason {
	readonly limit: "rateLimit" | "connectionLimit";
	/** `full`: nobody can tell whether the limit is reached. */
	readonly reason: "exceeded" | "full";
	/** What the rule says: `10/minute (burst 5) from each source`. */
	readonly text: string;
	/** It passes, as `exceedAction` says. */
	readonly audited: boolean;
}

/** One limit of a rule. */
export interface CompiledLimit {
	readonly written:
		| ({ readonly limit: "rateLimit" } & RateLimit)
		| ({ readonly limit: "connectionLimit" } & ConnectionLimit);
	/** Begins the names of the sets that keep what was used, which are equal as long as the rule and the limit are. */
	readonly set: string;
	readonly exceeded: CompiledRule;
	/** Null where the limit is for all sources together, which always have room. */
	readonly full: CompiledRule | null;
}

/** The rules of a rule's limits. */
export function limitRules({ limits = [] }: Pick<CompiledRule, "limits">): readonly CompiledRule[] {
	return limits.flatMap(({ exceeded, full }) => (full === null ? [exceeded] : [exceeded, full]));
}

/** A failsafe rule as text; null is any. */
export interface PlannedFailsafe {
	readonly direction: Direction;
	/** Position in `failsafe.DIRECTION` of the settings. */
	readonly index: number;
	/** `tcp`, `icmp`, `253`. */
	readonly protocol: string | null;
	/** `echo-request`, `42`. */
	readonly icmpType: string | null;
	/** The remote end: ADDRESS/PREFIX. */
	readonly cidr: string | null;
	/** The destination port or range: `22`, `6000-6010`. */
	readonly port: string | null;
	/** `eth0`, `eth*`. */
	readonly interface: string | null;
	/** Named counter of what it accepted. */
	readonly counter: string;
	/** The nftables rule, which needs the counter. */
	readonly text: string;
}

/** A set of control groups by their numbers, which whoever knows the units fills. */
export interface ServiceSet {
	readonly set: string;
	/** The units whose control groups it holds. */
	readonly units: readonly string[];
}

/** What tells the units apart that rules name. */
export interface ServicePlan {
	readonly sets: readonly ServiceSet[];
	/**
	 * The chain that notes in `output` whose packets are judged in `postrouting`, where the kernel does not tell the
	 * control group any more. Absent: they are judged in `output`.
	 */
	readonly noting?: string;
}

/** What judges what is forwarded to and from guests. */
export interface ForwardPlan {
	/** `audit`: what would be dropped is counted and logged, and passes. */
	readonly mode: "audit" | "enforce";
	/** The chain that the stable chain of what is forwarded leads to. */
	readonly root: string;
	/** What the set of uplinks holds: plain names, sorted. */
	readonly uplinks: readonly string[];
	/**
	 * Stands in until the table is back, as `guard` of a plan does: chains, each of which names earlier ones alone; the last
	 * is what packets are led to. None where nothing would be dropped.
	 */
	readonly guard: readonly Chain[];
}

/** A staged policy, and what tells how it fares. */
export interface StagedPolicy {
	readonly name: string;
	/** Equal exactly while the policy says the same. */
	readonly meaning: string;
	/** Counters of the packets about which it was asked. */
	readonly evaluated: readonly string[];
	/** Ids of the rules of StagedPlan that would block because of it; those of others' postures may be among them. */
	readonly rules: readonly string[];
}

/** What judges packets that passed, as if what is staged were in force; it drops nothing. */
export interface StagedPlan {
	/** The chains that lead to it; absent where nothing is staged for such packets. */
	readonly roots: Readonly<Partial<Record<Direction | "forward", string>>>;
	readonly egressHook?: EgressHook;
	/** Of what is in force as well; absent: no rule names a unit. */
	readonly services?: ServicePlan;
	/** What would block. */
	readonly rules: readonly CompiledRule[];
	readonly policies: readonly StagedPolicy[];
	/** What the plan has without it. Those of its objects come first. */
	readonly enforced: { readonly objects: number; readonly elements: number };
}

/** A rule's quota. */
export interface PlannedQuota {
	/** [0-9a-f]{16}: equal while the rule matches the same, whatever its limit. */
	readonly key: string;
	/** The kernel's object that counts. */
	readonly object: string;
	/** What comes beyond, as a rule: its id is what the log bears, and its counter counts it. */
	readonly rule: CompiledRule;
	/** 1 to 2^53 - 1. */
	readonly bytes: number;
	/** The same as it was written. */
	readonly limit: string;
	/** 1 or more. */
	readonly seconds: number;
	/** Its policy is staged, so it refuses nothing. */
	readonly staged?: true;
}

/** What counts for quotas. */
export interface QuotaPlan {
	/** The chains that lead to it; absent where no quota is for such packets. */
	readonly roots: Readonly<Partial<Record<Direction | "forward", string>>>;
	readonly egressHook?: EgressHook;
	readonly rules: readonly PlannedQuota[];
}

export interface NetworkPlan {
	/** Ordered so that an object names only earlier ones: create forwards, delete backwards. */
	readonly objects: readonly PlanObject[];
	/** The chains that the stable base chains jump to. Each ends in a terminal verdict of its own. */
	readonly roots: Readonly<Record<Direction, string>>;
	readonly egressHook?: EgressHook;
	/** Absent: no rule names a unit. */
	readonly services?: ServicePlan;
	/** The senders that policies name, those of staged ones too; absent: none is. */
	readonly named?: readonly NamedSender[];
	/** What judges what is forwarded to and from guests; absent: nothing does. */
	readonly forward?: ForwardPlan;
	/** Absent: no rule has a quota. */
	readonly quotas?: QuotaPlan;
	/** Absent: nothing is staged. */
	readonly staged?: StagedPlan;
	readonly rules: readonly CompiledRule[];
	/** Sum over objects. */
	readonly elements: number;
	readonly allowlistMode: Readonly<Record<Direction, boolean>>;
	/** Directions whose unmatched packets are dropped; the deny guard closes these at once after a flush. */
	readonly defaultDrop: Readonly<Record<Direction, boolean>>;
	/**
	 * Plain nftables rules that drop at least what the Blocks of a direction do, however many there are: they stand in
	 * until the table is back. Absent in plans of versions that had none.
	 */
	readonly guard?: Readonly<Record<Direction, readonly string[]>>;
	/** What is accepted before any policy, in the order in which packets meet it. */
	readonly failsafe: readonly PlannedFailsafe[];
}

/** What has counters and alerts beside the rules: those of their limits, and what is staged. */
export function rulesBeside({
	rules,
	staged,
}: Pick<NetworkPlan, "rules" | "staged">): readonly CompiledRule[] {
	const limited = rules.filter(({ limits }) => limits !== undefined).flatMap(limitRules);
	const beside = staged?.rules ?? [];
	return limited.length === 0 ? beside : [...limited, ...beside];
}

/** The rules whose packets are logged, in force or staged. */
export function loggedRules(plan: Pick<NetworkPlan, "rules" | "staged">): readonly CompiledRule[] {
	const beside = rulesBeside(plan);
	return beside.length === 0 ? plan.rules : [...plan.rules, ...beside];
}

/** What of a plan decides about packets. */
export function withoutStaged(plan: NetworkPlan): NetworkPlan {
	const { staged, ...enforced } = plan;
	if (staged === undefined) return plan;
	const { objects, elements } = staged.enforced;
	return { ...enforced, objects: plan.objects.slice(0, objects), elements };
}
