/**
 * Leads packets to what is said of their sender: first by the unit, then by the user, then by the group of whoever made
 * the socket. A packet without a socket is of nobody, and falls through all of it.
 *
 * Units are told apart by sets of numbers of control groups, which are filled beside the ruleset: a unit that starts or
 * ends changes no rule. In `postrouting` the kernel does not tell the control group any more, so what is judged there
 * is noted in `output`, by its flow.
 */

import { digest } from "../../../../base/digest.ts";
import type { Family } from "../../../../base/model.ts";
import {
	addressKey,
	addressType,
	concatenation,
	controlGroupType,
	destinationPort,
	goto,
	inControlGroup,
	inSet,
	joined,
	jump,
	noted,
	type OwnerKey,
	ofFamily,
	ownerTypes,
	portType,
	protocolKey,
	protocolType,
	sourcePort,
	vmap,
} from "../../../../kernel/nftables/expressions.ts";
import type { Rule } from "../../../../kernel/nftables/objects.ts";
import { notedSet, serviceSet } from "../../names.ts";
import type { InterfaceProgram, SendersProgram } from "../groups.ts";
import type { ServicePlan, ServiceSet } from "../plan.ts";
import type { DirectionProgram } from "../program.ts";
import { noSender, type SenderKey, senderKey } from "../sender.ts";
import type { ObjectStore } from "./objects.ts";

/** Levels of control groups below the root that are looked at: a unit in five slices, one in the other, is at the last. */
export const serviceLevels = 6;

/** Control groups that a set holds at most: a unit has one, and one more for each time somebody made its name again. */
export const mostControlGroups = 256;

/** New flows that wait for `postrouting` at most; it is microseconds away. */
const mostNoted = 65_536;

/** Seconds. */
const notedFor = 1;

const families: readonly Family[] = [4, 6];

/** The units whose packets a direction tells apart. */
export function servicesOf({ senders }: Pick<DirectionProgram, "senders">): readonly string[] {
	return senders?.named.services ?? [];
}

/** The set of one unit's control groups, or of those of several. */
function addServiceSet(store: ObjectStore, units: readonly string[]): string {
	const name = serviceSet(digest("service", ...units));
	return store.again({
		kind: "set",
		name,
		type: controlGroupType,
		size: mostControlGroups * units.length,
		keys: "",
	});
}

/** All sets that a direction with these units has. */
export function serviceSets(store: ObjectStore, services: readonly string[]): readonly ServiceSet[] {
	const groups = services.length > 1 ? [...services.map((name) => [name]), services] : [services];
	return groups.map((units) => ({ set: addServiceSet(store, units), units }));
}

/** Does what `then` says of a unit where the packet's socket is one of its. What no rule names costs one look at each level. */
function byControlGroup(
	store: ObjectStore,
	services: readonly string[],
	then: (service: string) => Rule,
): readonly Rule[] {
	const levels = Array.from({ length: serviceLevels }, (_, i) => i + 1);
	const verdicts = services.map((service) => ({
		set: addServiceSet(store, [service]),
		verdict: then(service),
	}));
	const at = (level: number) => verdicts.map(({ set, verdict }) => inControlGroup(level, set, verdict));
	if (services.length < 2) return levels.flatMap(at);
	const any = addServiceSet(store, services);
	return levels.map((level) => inControlGroup(level, any, jump(store.chain(at(level)))));
}

function flowKey(family: Family): string {
	const addresses = [addressKey(family, "saddr"), addressKey(family, "daddr")];
	return concatenation(...addresses, protocolKey, sourcePort, destinationPort);
}

/** The set of the flows that a unit begins. */
function addNotedSet(store: ObjectStore, service: string, family: Family): string {
	const address = addressType(family);
	return store.again({
		kind: "set",
		name: notedSet(family, digest("service", service)),
		type: concatenation(address, address, protocolType, portType, portType),
		flags: ["dynamic", "timeout"],
		timeout: notedFor,
		size: mostNoted,
		keys: "",
	});
}

/** What tells the units apart, where packets are judged in `output`, or noted there first. @param last what the noting chain ends with */
export function servicePlan(
	store: ObjectStore,
	services: readonly string[],
	last: Rule | null,
): { readonly services?: ServicePlan } {
	if (services.length === 0) return {};
	const sets = serviceSets(store, services);
	if (last === null) return { services: { sets } };
	const note = (service: string) =>
		jump(
			store.chain(
				families.map((family) =>
					noted(ofFamily(family), addNotedSet(store, service, family), flowKey(family)),
				),
			),
		);
	return { services: { sets, noting: store.chain([...byControlGroup(store, services, note), last]) } };
}

/** What the renderer of a direction knows. */
export interface SenderContext {
	readonly store: ObjectStore;
	readonly family: Family;
	/** Whether packets are judged in `postrouting`. */
	readonly leaving: boolean;
	/** What decides the packets of a kind of senders. */
	rules(program: InterfaceProgram): readonly Rule[];
}

/** The rules before those of senders that nobody names; none where nobody is named. */
export function senderRules({ senders }: SendersProgram, context: SenderContext): readonly Rule[] {
	if (senders === undefined) return [];
	const { store, family, leaving } = context;
	const { users, groups, services } = senders.named;
	const byKey = new Map(senders.programs.map((program) => [senderKey(program.sender), program]));
	const decided = (sender: SenderKey): readonly Rule[] => {
		const program = byKey.get(senderKey(sender));
		return program === undefined ? [] : context.rules(program);
	};
	const byGroup = (sender: SenderKey) =>
		byOwner(store, "meta skgid", groups, (group) => decided({ ...sender, group }));
	const byUser = (sender: SenderKey) => [
		...byOwner(store, "meta skuid", users, (user) => {
			const own = { ...sender, user };
			return [...byGroup(own), ...decided(own)];
		}),
		...byGroup(sender),
	];
	const byService = (service: string) => {
		const own = { ...noSender, service };
		return goto(store.chain([...byUser(own), ...decided(own)]));
	};
	const first = leaving
		? services.map((service) =>
				joined(inSet(flowKey(family), addNotedSet(store, service, family), ""), byService(service)),
			)
		: byControlGroup(store, services, byService);
	return [...first, ...byUser(noSender)];
}

function byOwner(
	store: ObjectStore,
	key: OwnerKey,
	numbers: readonly number[],
	rules: (number: number) => readonly Rule[],
): readonly Rule[] {
	if (numbers.length === 0) return [];
	const values = numbers.map((number) => ({ verdict: "goto" as const, chain: store.chain(rules(number)) }));
	const map = store.map({
		type: ownerTypes[key],
		to: "verdict",
		size: numbers.length,
		keys: numbers.join("\n"),
		values,
		leads: numbers.map((_, i) => i),
	});
	return [vmap(key, map)];
}
