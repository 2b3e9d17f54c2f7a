import type { Command } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { askDaemon, changeId, daemonOptions } from "./change-reply.ts";

const help = `Usage: portward rollback [--id ID] [--config FILE] [--state-dir DIR]
                         [--json]

Gives up the policies that are pending, without waiting for their time to run
out: what was in force before is in force again. As root.

  --id ID          only if this change is the one that is pending
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  the daemon's state (default: stateDir of the settings)
  --json           print {ok, messages, problems, diagnostics}
`;

export const rollback: Command = {
	name: "rollback",
	summary: "give up the policies that are pending",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, { id: { type: "string" }, ...daemonOptions });
		return askDaemon({ verb: "rollback", id: changeId(values.id) }, values, io);
	}),
};
