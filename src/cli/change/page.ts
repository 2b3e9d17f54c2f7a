import type { Command } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { askDaemon, daemonOptions } from "./change-reply.ts";

const help = `Usage: portward page [--revoke] [--config FILE] [--state-dir DIR]
                     [--json]

Prints a link to the status page, as root. It opens once, within 12 hours; the
browser that opened it reads the page until these 12 hours are over, or until
the daemon ends. From another machine forward the port first, then open it:

  ssh -L 9755:127.0.0.1:9755 HOST

  --revoke         end every link, and the pages that came of them
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  the daemon's state (default: stateDir of the settings)
  --json           print {ok, messages, problems, diagnostics, link}
`;

export const page: Command = {
	name: "page",
	summary: "a link to the status page",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, { revoke: { type: "boolean" }, ...daemonOptions });
		return askDaemon({ verb: "page", revoke: values.revoke === true }, values, io);
	}),
};
