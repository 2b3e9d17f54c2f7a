/** What the new policies would have made of the flows that the daemon kept. */

import { join } from "node:path";
import type { Config } from "../config/model.ts";
import type { NetworkModel } from "../enforcers/network/compile/program.ts";
import { historyFile, readSavedHistory } from "../enforcers/network/history/saved-history.ts";
import { type Simulation, simulateFlows } from "../enforcers/network/history/simulate.ts";
import { readState } from "../state/state-file.ts";

/** Null where no flows were kept, or they cannot be read: a plan needs none. */
export function planSeen(
	{ stateDir, essentials }: Pick<Config, "stateDir" | "essentials">,
	model: NetworkModel,
	now = Date.now(),
): Simulation | null {
	const read = readState(join(stateDir, historyFile));
	const history = read.ok ? readSavedHistory(read.value, now) : null;
	if (history === null || history.flows.length === 0) return null;
	return simulateFlows(history, model, essentials);
}
