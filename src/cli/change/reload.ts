import type { Command } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { askDaemon, daemonOptions } from "./change-reply.ts";

const help = `Usage: portward reload [--config FILE] [--state-dir DIR] [--json]

Makes the daemon read its settings and policies again, as SIGHUP does, and
waits for what becomes of it. As root; \`systemctl reload portward\` runs it.

  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  the daemon's state (default: stateDir of the settings)
  --json           print {ok, messages, problems, diagnostics}

Exit code: 0 what is on disk is in force, 1 it is not, or no daemon answers.
What was in force stays then.
`;

export const reload: Command = {
	name: "reload",
	summary: "make the daemon read settings and policies again, and say what became of it",
	help,
	run: telling(async (args, io) => {
		return askDaemon({ verb: "reload" }, parseOnlyOptions(args, daemonOptions), io);
	}),
};
