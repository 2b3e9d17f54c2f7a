/** What a change of policies means for the ports that are published for guests. */

import type { Config } from "../config/model.ts";
import { guestModel } from "../enforcers/network/compile/program.ts";
import { PublishedJudge } from "../enforcers/network/compile/verdict/published-verdict.ts";
import type { GuestFacts } from "../enforcers/network/observe/guests/guests.ts";
import { readGuests } from "../enforcers/network/observe/guests/read-guests.ts";
import type { Models } from "./plan-connections.ts";
import type { CutConnection, PublishedPlan } from "./plan-model.ts";

/** Reads what this network namespace publishes. @param cut the connections that the change ends */
export function planPublished(
	models: Models,
	{ table, guests }: Pick<Config, "table" | "guests">,
	cut: readonly CutConnection[],
): PublishedPlan {
	const { forwarded } = guests;
	const read = readGuests(table, guests);
	if (!read.ok) return { forwarded, checked: false, reason: read.error, changes: [], more: 0 };
	const { more } = read.facts;
	return { forwarded, checked: true, reason: "", changes: publishedChanges(models, read.facts, cut), more };
}

/** The published ports whose senders change. Pure. @param cut the connections that the change ends */
export function publishedChanges(
	{ before, after }: Models,
	{ published, outside }: Pick<GuestFacts, "published" | "outside">,
	cut: readonly CutConnection[],
): PublishedPlan["changes"] {
	const judges = [before, after].map(
		(model) => new PublishedJudge(model, guestModel(model), published, outside),
	);
	return published.flatMap((port) => {
		const [old, fresh] = judges.map((judge) => judge.verdict(port));
		if (old === undefined || fresh === undefined) return [];
		// Who closes it to the same addresses is no change of what can be reached.
		if (JSON.stringify(old.reachable) === JSON.stringify(fresh.reachable)) return [];
		const { address, port: guestPort } = port.guest;
		const ends = cut.filter(
			({ guest, local, localPort, direction }) =>
				guest && direction === "ingress" && local === address && localPort === guestPort,
		).length;
		return [{ port, before: old, after: fresh, ends }];
	});
}
