/** Where the packet that `portward explain` is asked about is judged: as the host's own, or as one that it forwards. */

import { formatAddress, parseAddress, parseCidr } from "../../base/cidr.ts";
import type { Direction } from "../../base/model.ts";
import { protocolFits } from "../../base/protocol.ts";
import { quote } from "../../base/suggest.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { forwardedModel, forwardedUnasked } from "../../enforcers/network/compile/enforcement.ts";
import { guestModel, type NetworkModel, type Packet } from "../../enforcers/network/compile/program.ts";
import { stagedVerdict, type WouldBlock } from "../../enforcers/network/compile/staged.ts";
import { type Explanation, explain } from "../../enforcers/network/compile/verdict/explain.ts";
import type { GuestFacts, PublishedPort } from "../../enforcers/network/observe/guests/guests.ts";
import { publishedText } from "../../enforcers/network/report/guests-status.ts";
import { UsageError } from "../command.ts";

export interface PlaceOptions {
	/** Ask as a port that is published, whether or not one is. */
	readonly published?: boolean | undefined;
	/** A guest's address. */
	readonly "from-guest"?: string | undefined;
}

export interface Place {
	readonly hook: "input" | "output" | "forward";
	/** Published ports that the packet means. */
	readonly published: readonly PublishedPort[];
	/** The guest that sends it; null where it is none. `bridge`: null where no network of guests has the address. */
	readonly guest: { readonly address: string; readonly bridge: string | null } | null;
	/** Why no policy is asked about it; null where they are. */
	readonly unasked: string | null;
}

/** Of a packet that is known to go to or come from a guest. */
export const forwardedPlace: Place = { hook: "forward", published: [], guest: null, unasked: null };

/** Of a packet that is known to be the host's own. */
export function ownPlace(direction: Direction): Place {
	return { ...forwardedPlace, hook: direction === "ingress" ? "input" : "output" };
}

/** The setting that keeps a Block of what is forwarded from happening. */
export function auditedBy({ enforcement }: Pick<Config, "enforcement">): string {
	return enforcement === "audit" ? "enforcement: audit" : "guests.forwarded: audit";
}

/** Published ports that are told. */
const mostTold = 8;

/** @throws UsageError for options that do not fit the packet. */
export function placeOf(packet: Packet, options: PlaceOptions, facts: GuestFacts): Place {
	const { published: asPublished = false, "from-guest": from } = options;
	if (asPublished && (from !== undefined || packet.direction === "egress"))
		throw new UsageError("--published goes with ingress, to ask about a port that leads to a guest");
	if (from !== undefined) return placeOfGuest(packet, from, facts);
	if (packet.direction === "egress") return { hook: "output", published: [], guest: null, unasked: null };
	const published = facts.published.filter(
		({ protocol, family, port }) =>
			protocol === packet.protocol && family === packet.family && port === packet.port,
	);
	const forwarded = asPublished || published.some(({ hook }) => hook === "forward");
	return { hook: forwarded ? "forward" : "input", published, guest: null, unasked: null };
}

function placeOfGuest(packet: Packet, from: string, { bridges }: GuestFacts): Place {
	const address = parseAddress(from);
	if ("message" in address)
		throw new UsageError(`--from-guest ${quote(from)}: ${address.message}; ${address.hint}`);
	if (packet.direction === "ingress")
		throw new UsageError("--from-guest goes with egress: what a guest sends");
	if (address.family !== packet.family || !protocolFits(packet.protocol, address.family))
		throw new UsageError("--from-guest has an address of the other family than the remote end");
	const behind = (family: 4 | 6, value: bigint) =>
		bridges.find(({ subnets }) => subnets.some((text) => holds(text, family, value)))?.name ?? null;
	const bridge = behind(address.family, address.value);
	const other = behind(packet.family, packet.address);
	const guest = { address: formatAddress(address.family, address.value), bridge };
	const unasked =
		other === null
			? null
			: other === bridge
				? `both are guests on ${other}, who reach each other without asking a policy`
				: `the other end is a guest on ${other}: between guests of two networks their engine decides`;
	return { hook: "forward", published: [], guest, unasked };
}

function holds(block: string, family: 4 | 6, value: bigint): boolean {
	const parsed = parseCidr(block);
	if (!parsed.ok || parsed.cidr.family !== family) return false;
	const size = 1n << BigInt((family === 4 ? 32 : 128) - parsed.cidr.prefix);
	return parsed.cidr.base <= value && value < parsed.cidr.base + size;
}

/** What the policies say at the place; under `audit` of guests nothing is blocked. */
export function explainAt(
	model: NetworkModel,
	packet: Packet,
	{ hook, unasked }: Place,
	{ guests }: Pick<Config, "guests">,
): Explanation {
	if (hook !== "forward") return explain(model, packet);
	const forwarded = forwardedModel(model, guests.forwarded);
	if (unasked !== null || forwarded === null) return { action: "Allow", rule: null, overridden: [] };
	return explain(forwarded, packet);
}

/** What is staged that would block it at the place; null where nothing is. */
export function stagedAt(
	model: NetworkModel,
	packet: Packet,
	{ hook, unasked }: Place,
	{ guests }: Pick<Config, "guests">,
): WouldBlock | null {
	if (hook !== "forward") return stagedVerdict(model, packet);
	const own = guestModel(model);
	const staged = model.staged && guestModel(model.staged);
	if (unasked !== null || guests.forwarded === "off" || own === null || !staged) return null;
	return stagedVerdict({ ...own, staged }, packet);
}

/** The field of `--json`, absent where nothing that is staged would block it. */
export function stagedJson(would: WouldBlock | null) {
	if (would === null) return {};
	const { rule, policies } = would;
	return { staged: { policies, policy: rule.policy, rule: rule.index < 0 ? null : rule.index } };
}

export function describeStagedVerdict(would: WouldBlock | null): string {
	if (would === null) return "";
	const { rule, policies } = would;
	const by = rule.index < 0 ? `, by ${rule.policy}` : ` ${rule.direction}[${rule.index}]`;
	const what =
		policies.length === 0
			? "stagedNetworkPosture"
			: `staged ${policies.length === 1 ? "policy" : "policies"} ${policies.join(", ")}`;
	return `${escapeForTerminal(`  ${what}${by} would block it`)}\n`;
}

/** The fields of `--json`. */
export function placeJson({ hook, published, guest, unasked }: Place, { guests }: Pick<Config, "guests">) {
	const reason = unaskedBecause({ hook, unasked }, guests.forwarded);
	return {
		hook,
		...(published.length === 0 ? {} : { published }),
		...(guest === null ? {} : { guest }),
		...(reason === null ? {} : { unasked: reason }),
	};
}

/** Why no policy is asked; null where they are. */
export function unaskedBecause(
	{ hook, unasked }: Pick<Place, "hook" | "unasked">,
	forwarded: Config["guests"]["forwarded"],
): string | null {
	if (hook !== "forward") return null;
	return forwarded === "off" ? forwardedUnasked : unasked;
}

/** Lines below the verdict. @param own what the policies say of the host's own port, where the verdict is of another */
export function describePlace(
	{ hook, published, guest }: Place,
	own: Explanation | null,
	asPublished: boolean,
): string {
	const lines: string[] = [];
	for (const port of published.slice(0, mostTold)) {
		const how =
			port.hook === "forward"
				? "it is judged as what is forwarded"
				: "a program of this host takes it, so it is judged as the host's";
		lines.push(`a port of the host, also published: ${publishedText(port)}; ${how}`);
	}
	if (published.length > mostTold) lines.push(`and published ${published.length - mostTold} times more`);
	if (published.length === 0 && asPublished)
		lines.push(
			"no such port is published now; this is what would hold for one, or for a guest's own address",
		);
	if (hook === "forward" && own !== null) lines.push(`where it is not sent on to a guest: ${own.action}`);
	if (guest !== null)
		lines.push(
			guest.bridge === null
				? `no network of guests on this host has ${guest.address}; this is what would hold for a guest`
				: `sent by the guest ${guest.address} on ${guest.bridge}, and judged as it leaves`,
		);
	return lines.map((line) => `  ${escapeForTerminal(line)}\n`).join("");
}
