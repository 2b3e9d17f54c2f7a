import type { Command } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { askDaemon, changeId, daemonOptions, ownSession } from "./change-reply.ts";

const help = `Usage: portward confirm [--id ID] [--same-session] [--config FILE]
                        [--state-dir DIR] [--json]

Keeps the policies that are pending: they become the content of the configured
policyDir, in one step, and stay in force. As root.

Confirm over a connection that was opened after the change was in force: only
that shows that the host can still be reached. A confirmation from an older SSH
session is refused. Where no SSH session is found, as on the console, it is
accepted, and the answer says that nothing was checked.

  --id ID          only if this change is the one that is pending
  --same-session   accept this SSH session though it is from before the change;
                   the log and an alert say so
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  the daemon's state (default: stateDir of the settings)
  --json           print {ok, messages, problems, diagnostics}
`;

export const confirm: Command = {
	name: "confirm",
	summary: "keep the policies that are pending",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, {
			id: { type: "string" },
			"same-session": { type: "boolean" },
			...daemonOptions,
		});
		const id = changeId(values.id);
		const sameSession = values["same-session"] === true;
		return askDaemon({ verb: "confirm", id, sameSession, session: ownSession() }, values, io);
	}),
};
