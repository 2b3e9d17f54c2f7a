/**
 * What judges forwarded packets to and from guests. What is published on this host is judged by the port that the sender
 * asked for, all else by what the packet bears. Between other hosts nothing is judged.
 */

import { type Direction, directions } from "../../../../base/model.ts";
import { goto, joined } from "../../../../kernel/nftables/expressions.ts";
import type { Chain, Rule } from "../../../../kernel/nftables/objects.ts";
import { guardChains } from "../../names.ts";
import { failsafeText } from "../failsafe.ts";
import type { GuestOptions } from "../guests.ts";
import type { ForwardPlan } from "../plan.ts";
import type { DirectionProgram, Programs } from "../program.ts";
import { DirectionRenderer, type Seen } from "./direction.ts";
import { guardBoxes, guardRules } from "./guard.ts";
import { behindGuests } from "./guests.ts";
import type { ObjectStore } from "./objects.ts";
import type { RenderOptions } from "./options.ts";
import { type PortKey, packetPort, publishedPort } from "./port-key.ts";

/** What trees share, by direction. */
export type Made = Readonly<Record<Direction, Seen["made"]>>;

export function renderForward(
	store: ObjectStore,
	programs: Programs,
	options: RenderOptions & { readonly guests: GuestOptions },
	{ leafUse, made }: Pick<Seen, "leafUse"> & { readonly made: Made },
	cost: Map<string, number>,
): ForwardPlan {
	const { guests } = options;
	return {
		mode: guests.forwarded,
		root: forwardRoot(store, programs, options, { leafUse, made }, cost),
		uplinks: guests.uplinks.toSorted(),
		guard: guests.forwarded === "audit" ? [] : guardOf(programs, guests),
	};
}

/** What leads forwarded packets to the trees that judge them. @param staged see Seen */
export function forwardRoot(
	store: ObjectStore,
	programs: Partial<Programs>,
	options: RenderOptions & { readonly guests: GuestOptions },
	{ leafUse, made }: Pick<Seen, "leafUse"> & { readonly made: Made },
	cost: Map<string, number>,
	evaluated?: Readonly<Record<Direction, string>>,
): string {
	const { guests } = options;
	const tree = (direction: Direction, ports: PortKey) => {
		const program = programs[direction];
		if (program === undefined) return store.chain(["accept"]);
		const silent = evaluated === undefined ? {} : { evaluated: evaluated[direction] };
		const seen = { forwarded: true, ports, leafUse, made: made[direction], ...silent };
		const elements = new Map<string, number>();
		const own = { ...options, blocks: false, seen };
		const root = new DirectionRenderer(store, program, direction, own, elements).render();
		// What trees share costs once.
		for (const [id, count] of elements) cost.set(id, Math.max(cost.get(id) ?? 0, count));
		return root;
	};
	return leadGuests(store, guests, {
		published: tree("ingress", publishedPort),
		direct: tree("ingress", packetPort),
		fromGuest: tree("egress", packetPort),
	});
}

/** Leads what goes to guests and what comes from them to the chains that are for it. */
export function leadGuests(
	store: ObjectStore,
	guests: GuestOptions,
	to: { readonly published: string; readonly direct: string; readonly fromGuest: string },
): string {
	const toGuest = store.chain(toGuestRules(guests, to.published, [goto(to.direct)]));
	return store.chain(entryRules(guests, toGuest, to.fromGuest));
}

function entryRules(guests: GuestOptions, toGuest: string, fromGuest: string): Rule[] {
	return [
		...behindGuests(guests, "oif").map((behind) => joined(behind, " ", goto(toGuest))),
		...behindGuests(guests, "iif").map((behind) => joined(behind, " ", goto(fromGuest))),
	];
}

/**
 * What somebody translated was meant for a port of this host, whoever sent it; it comes first, so that nobody who is
 * taken for a guest gets past that. Guests among themselves are their engine's.
 */
function toGuestRules(guests: GuestOptions, published: string, others: readonly Rule[]): Rule[] {
	return [
		joined("ct status dnat ", goto(published)),
		...behindGuests(guests, "iif").map((behind) => joined(behind, " accept")),
		...others,
	];
}

/** The chains of the guard; none where nothing would be dropped. */
function guardOf(programs: Programs, guests: GuestOptions): Chain[] {
	const drops = directions.map((direction) => guardDrops(programs[direction], direction, packetPort));
	if (drops.every((rules) => rules.length === 0)) return [];
	const [ingress = [], egress = []] = drops;
	const chain = (name: string, rules: readonly Rule[]): Chain => ({ kind: "chain", name, rules });
	const { published, toGuest, fromGuest, entry } = guardChains;
	return [
		chain(published, guardDrops(programs.ingress, "ingress", publishedPort)),
		chain(toGuest, toGuestRules(guests, published, ingress)),
		chain(fromGuest, egress),
		chain(entry, entryRules(guests, toGuest, fromGuest)),
	];
}

function guardDrops(program: DirectionProgram, direction: Direction, ports: PortKey): Rule[] {
	const closed = program.posture?.action === "Block";
	const drops = closed ? ["drop"] : guardRules(guardBoxes(program), direction, ports);
	if (drops.length === 0) return [];
	const accepted = program.failsafe.map((failsafe) => failsafeText(failsafe, ports));
	return accepted.length === 0 ? drops : ["ct state invalid drop", ...accepted, ...drops];
}
