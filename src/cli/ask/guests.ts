/** The guests of this host, for commands that ask the policies: what the kernel shows now. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { guestModel, type NetworkModel } from "../../enforcers/network/compile/program.ts";
import { PublishedJudge } from "../../enforcers/network/compile/verdict/published-verdict.ts";
import type { GuestFacts } from "../../enforcers/network/observe/guests/guests.ts";
import { readGuests } from "../../enforcers/network/observe/guests/read-guests.ts";
import type { JudgedPort } from "../../enforcers/network/report/guests-status.ts";
import type { Io } from "../command.ts";

const nobody: GuestFacts = { bridges: [], uplinks: [], outside: [], published: [], more: 0, unjudged: [] };

/** None, and a word about it, where the kernel does not tell. */
export function guestsHere({ table, guests }: Pick<Config, "table" | "guests">, io: Io): GuestFacts {
	const read = readGuests(table, guests);
	if (read.ok) return read.facts;
	io.error(`portward: guests are not known: ${escapeForTerminal(read.error)}\n`);
	return nobody;
}

export function judgedPorts(model: NetworkModel, { published, outside }: GuestFacts): JudgedPort[] {
	const judge = new PublishedJudge(model, guestModel(model), published, outside);
	return published.map((port) => ({ ...port, ...judge.verdict(port) }));
}
