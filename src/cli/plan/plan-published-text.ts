/** Published ports in a plan, for people. */

import { describeVerdict, openTo } from "../../enforcers/network/compile/verdict/published-verdict.ts";
import { publishedText } from "../../enforcers/network/report/guests-status.ts";
import type { PublishedChange, PublishedPlan } from "../../engine/plan-model.ts";
import { plural } from "../diagnostics.ts";

/** `closes published 5432/tcp to all but 10.0.1.0/24; ends 3 open connections`, and below it which port that is. */
export function publishedLines({ changes, forwarded }: PublishedPlan): string[][] {
	return changes.map((change) => [
		`${verb(change)}${ending(change, forwarded)}`,
		publishedText(change.port),
		`was ${describeVerdict(change.before)}`,
	]);
}

function verb({ port, before, after }: PublishedChange): string {
	const name = `published ${port.port}/${port.protocol}`;
	const [old, fresh] = [openTo(before), openTo(after)];
	if (fresh === "nobody") return `closes ${name} to all`;
	if (fresh === "all") return `opens ${name} to all`;
	return old === "all" ? `closes ${name} to all but ${fresh}` : `opens ${name} to ${fresh} alone`;
}

function ending({ ends, port }: PublishedChange, forwarded: PublishedPlan["forwarded"]): string {
	const audited = forwarded === "audit" && port.hook === "forward";
	const mode = audited ? " once guests.forwarded is enforce" : "";
	return `${mode}${ends === 0 ? "" : `; ends ${plural(ends, "open connection")}`}`;
}
