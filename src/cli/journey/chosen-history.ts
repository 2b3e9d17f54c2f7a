/** The flows that a command works on, as its options say: of a file, of the daemon, or of the disk where none runs. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import type { Io } from "../command.ts";
import { flowsFrom } from "./flows-source.ts";
import { type ReadHistory, readHistory } from "./read-history.ts";
import { parseSince, seenSince } from "./since.ts";

export interface HistoryOptions {
	readonly since?: string | undefined;
	/** A file of flows, or `-`. */
	readonly from?: string | undefined;
	readonly "status-address"?: string | undefined;
}

/**
 * Null where there are none to be had; the operator was told why.
 * @param settings asked only where no file is named
 * @throws UsageError for a `--since` that is no time
 */
export async function chosenHistory(
	options: HistoryOptions,
	settings: () => Config,
	io: Io,
	now = Date.now(),
): Promise<ReadHistory | null> {
	const since = parseSince(options.since, now);
	if (options.from !== undefined) {
		const history = await flowsFrom(options.from, io);
		return history && seenSince(history, since);
	}
	const named = options["status-address"] !== undefined;
	const read = await readHistory(settings(), { named, signal: io.signal, since }, now);
	if (!read.ok) {
		io.error(`portward: ${escapeForTerminal(read.message)}\n`);
		return null;
	}
	if (read.from === "disk")
		io.error("portward: the daemon is not running; these are the flows that it kept\n");
	if (read.problem !== "") io.error(`portward: ${escapeForTerminal(read.problem)}\n`);
	return read.history;
}
