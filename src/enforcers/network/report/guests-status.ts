/** What status and page are told of the guests of this host. Plain data, and words for people. Pure. */

import type { Config } from "../../../config/model.ts";
import { type CompiledRule, type ForwardPlan, limitRules } from "../compile/plan.ts";
import { describeVerdict, type PublishedVerdict } from "../compile/verdict/published-verdict.ts";
import type { GuestBridge, GuestFacts, PublishedPort, Uplink } from "../observe/guests/guests.ts";

export type JudgedPort = PublishedPort & PublishedVerdict;

/** The facts, and who reaches what is published. */
export interface GuestsSeen extends Omit<GuestFacts, "published" | "outside"> {
	readonly published: readonly JudgedPort[];
}

/** What /v1/status says under `enforcers.network.guests`. */
export interface GuestsStatus {
	/** As the settings say: whether policies hold for what is forwarded to and from guests. */
	readonly forwarded: Config["guests"]["forwarded"];
	/** Packets that would have been dropped, had it been `enforce`; null where it is not `audit`. */
	readonly wouldHaveBlocked: number | null;
	/** Whether the kernel was asked yet; else the lists are empty. */
	readonly known: boolean;
	readonly bridges: readonly GuestBridge[];
	readonly uplinks: readonly Uplink[];
	readonly published: readonly JudgedPort[];
	/** Published ports beyond those. */
	readonly more: number;
	/** What passes every rule, each in a sentence. */
	readonly unjudged: readonly string[];
}

const nothing: GuestsSeen = { bridges: [], uplinks: [], published: [], more: 0, unjudged: [] };

export function guestsStatus(
	forwarded: GuestsStatus["forwarded"],
	seen: GuestsSeen | null,
	plan: { readonly forward?: ForwardPlan; readonly rules: readonly CompiledRule[] } | null,
	counters: Readonly<Record<string, { readonly packets: number }>>,
): GuestsStatus {
	const audited = plan?.forward?.mode === "audit";
	const wouldHaveBlocked = audited
		? plan.rules
				.flatMap((rule) => [rule, ...limitRules(rule)])
				.filter(({ action }) => action === "Block")
				.reduce((sum, { forwardedCounter = "" }) => sum + (counters[forwardedCounter]?.packets ?? 0), 0)
		: null;
	return { forwarded, wouldHaveBlocked, known: seen !== null, ...(seen ?? nothing) };
}

/** What `guests.forwarded` means, in words. */
export function describeForwarded({
	forwarded,
	wouldHaveBlocked,
}: Pick<GuestsStatus, "forwarded" | "wouldHaveBlocked">): string {
	if (forwarded === "off") return "off: policies are not asked about what is forwarded";
	if (forwarded === "enforce") return "enforce: policies hold for what is forwarded, too";
	const counted = wouldHaveBlocked === null ? "" : `; ${wouldHaveBlocked} packets would have been blocked`;
	return `audit: what policies would block is alerted and passes${counted}`;
}

/** `docker0 (172.17.0.0/16), 3 guests`. */
export function describeBridge({
	name,
	subnets,
	ports,
}: Pick<GuestBridge, "name" | "subnets" | "ports">): string {
	const where = subnets.length === 0 ? "" : ` (${subnets.join(", ")})`;
	return `${name}${where}, ${ports === 1 ? "1 guest" : `${ports} guests`}`;
}

/** `tcp 0.0.0.0:15432 -> 172.17.0.2:5433 (Docker): open to all`. */
export function describePublished(port: JudgedPort, forwarded: GuestsStatus["forwarded"]): string {
	const passes = forwarded === "audit" && port.hook === "forward" && port.closedBy.length > 0;
	const mode = passes ? " (audit: nothing is dropped yet)" : "";
	return `${publishedText(port)}: ${describeVerdict(port)}${mode}`;
}

/** `tcp 0.0.0.0:15432 -> 172.17.0.2:5433 (Docker)`. */
export function publishedText({
	protocol,
	address,
	port,
	guest,
	by,
}: Pick<PublishedPort, "protocol" | "address" | "port" | "guest" | "by">): string {
	return `${protocol} ${ends(address, port)} -> ${ends(guest.address, guest.port)} (${by})`;
}

function ends(address: string, port: number): string {
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
