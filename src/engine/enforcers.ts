/** The registry: every kind of enforcement is one line here. */

import { hostPolicyKind, hostPolicyName } from "../document/host-policy.ts";
import { Kinds } from "../document/kind.ts";
import { podKinds } from "../document/pod-kinds.ts";
import type { RuleList } from "../enforcers/contract/describe.ts";
import type { BootFacts, Enforcer, SentParts } from "../enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../enforcers/network/enforcer.ts";
import { addressGroupKind } from "../enforcers/network/parse/kinds.ts";
import { usbEnforcer } from "../enforcers/usb/enforcer.ts";
import { policyTestKind } from "./testing/kind.ts";

export const enforcers: readonly Enforcer[] = [networkEnforcer, usbEnforcer];

/** The kinds of documents that enforcers read, those of which it is known that none does, groups of addresses, and test cases. */
export function kindsOf(registered: readonly Enforcer[]): Kinds {
	const [first, ...more] = registered.flatMap(({ hostBlocks }) => hostBlocks);
	return new Kinds([
		...registered.flatMap(({ kinds }) => kinds),
		...(first === undefined ? [] : [hostPolicyKind([first, ...more])]),
		...podKinds,
		addressGroupKind,
		policyTestKind,
	]);
}

export const registeredKinds = kindsOf(enforcers);

/** What the next boot is to know of what was sent. */
export function bootFacts(sent: SentParts, registered: readonly Enforcer[] = enforcers): BootFacts {
	const facts: Record<string, boolean | null> = {};
	for (const enforcer of registered) {
		const own = sent[enforcer.name];
		if (own !== undefined) Object.assign(facts, enforcer.boot(own));
	}
	return facts;
}

/** The lists of rules that policies have, by their names. */
export const ruleLists: ReadonlyMap<string, RuleList> = new Map(
	enforcers.flatMap(({ telling }) => telling.lists.map((list) => [list.name, list] as const)),
);

/** Kinds of policies whose rules decide about packets, or about anything else alone. */
export const packetKinds: ReadonlySet<string> = kindsWith(true);
export const otherKinds: ReadonlySet<string> = kindsWith(false);

function kindsWith(packets: boolean): ReadonlySet<string> {
	const found = enforcers.filter(({ telling }) => telling.packets === packets);
	return new Set(
		found.flatMap(({ hostBlocks, kinds }) => [
			...kinds.map(({ name }) => name),
			...(hostBlocks.length > 0 ? [hostPolicyName] : []),
		]),
	);
}
