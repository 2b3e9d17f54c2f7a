/** What rules about senders say, from their text: the part of simulate.ts that knows users, groups and units. */

import { digest } from "../../../../src/base/digest.ts";
import type { OraclePacket } from "./oracle.ts";
import type { ParsedTable } from "./simulate.ts";

/** The sets of several units that rules of the tests may name. */
const several = [["a.service", "b.service"]];

/** The verdict of a rule; null where it does not match, undefined where it is of another kind. */
export function senderVerdict(
	text: string,
	{ sender, family }: OraclePacket,
	table: Pick<ParsedTable, "elements">,
): string | null | undefined {
	const owner = /^meta sk([ug])id vmap @(m_\w{16})$/.exec(text);
	if (owner !== null) {
		const number = (owner[1] === "u" ? sender?.user : sender?.group) ?? null;
		const elements = table.elements.get(owner[2] ?? "");
		if (elements === undefined) throw new Error(`no map for: ${text}`);
		if (number === null) return null;
		return elements.find(({ ranges }) => ranges[0]?.[0] === BigInt(number))?.verdict ?? null;
	}
	// A unit lies in one slice.
	const unit = /^socket cgroupv2 level (\d) @units_(\w{16}) (.*)$/.exec(text);
	if (unit !== null) return unit[1] === "2" && isOf(sender, unit[2]) ? (unit[3] ?? null) : null;
	const sent = /^ip6? saddr \. .* @sent([46])_(\w{16}) (.*)$/.exec(text);
	if (sent === null) return undefined;
	return Number(sent[1]) === family && isOf(sender, sent[2]) ? (sent[3] ?? null) : null;
}

/** Whether the sender's unit is among those of a set, by the digest in its name. */
function isOf(sender: OraclePacket["sender"], units: string | undefined): boolean {
	const service = sender?.service ?? null;
	return (
		service !== null &&
		[[service], ...several].some((names) => names.includes(service) && digest("service", ...names) === units)
	);
}
