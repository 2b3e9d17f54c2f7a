import { escapeForTerminal } from "../../base/terminal.ts";
import { isOpen } from "../../enforcers/network/apply/open-table.ts";
import { controlPath } from "../../serve/control/control-protocol.ts";
import { clearPanic } from "../../state/panic.ts";
import { type Command, exit, type Io } from "../command.ts";
import { withKernelTable } from "../kernel.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { restore } from "../restore.ts";
import { ask } from "./control-client.ts";
import { isRoot, panicOptions, panicSettings } from "./panic-settings.ts";

const help = `Usage: portward resume [--config FILE] [--state-dir DIR] [--json]

Ends panic-open: the daemon reads the policies again and enforces them, and
ends open connections that they block. Without a daemon that answers, the
rules that the table still holds are in force again, or what portward restore
puts back. For root alone.

  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  where the daemon keeps its state (default /var/lib/portward)
  --json           print {ok, messages, problems, diagnostics}
`;

/** Milliseconds that the daemon may take to read, compile and load the policies; one that hangs is gone round. */
const patienceMs = 30_000;

export const resume: Command = {
	name: "resume",
	summary: "enforce the policies again after panic-open",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, panicOptions);
		const { table, stateDir } = panicSettings(values, io);
		const fail = (message: string) => {
			io.error(`portward: ${escapeForTerminal(message)}\n`);
			return exit.failure;
		};
		if (!isRoot()) return fail("only root may end panic-open");
		const cleared = clearPanic(stateDir);
		if (!cleared.ok) return fail(`the record cannot be removed, so the table stays open: ${cleared.error}`);
		// Where it could not be recorded, the table alone says that it was opened.
		if (!cleared.removed && !stillOpen(table)) {
			io.out(`panic-open does not stand: there is no record in ${escapeForTerminal(stateDir)}\n`);
			return exit.ok;
		}
		const answer = await ask(controlPath(stateDir), { verb: "resume" }, patienceMs);
		if (!answer.answered) {
			io.out("no daemon answers\n");
			return closeDirectly(table, io, () => restore.run(args, io));
		}
		if (!answer.reply.ok) return fail(answer.reply.message);
		io.out(`${escapeForTerminal(answer.reply.message)}\n`);
		// A daemon that enforces no network policies leaves alone what an earlier one left behind.
		return stillOpen(table) ? closeDirectly(table, io, async () => exit.ok) : exit.ok;
	}),
};

function stillOpen(table: string): boolean {
	const looked = withKernelTable(table, (_, kernel) => isOpen(kernel, table));
	return looked.ok && looked.value;
}

/** @param restoreSaved puts back what was saved for the next boot, where the kernel holds nothing. */
async function closeDirectly(table: string, io: Io, restoreSaved: () => Promise<number>): Promise<number> {
	const result = withKernelTable(table, (kernel) => kernel.close());
	const error = !result.ok ? result.message : result.value.ok ? "" : result.value.error;
	if (error !== "") {
		io.error(
			`portward: panic-open is ended, but the table could not be closed: ${escapeForTerminal(error)}\n`,
		);
		return exit.failure;
	}
	const closed = result.ok && result.value.ok && result.value.closed;
	if (!closed) {
		io.out("the kernel holds no rules: the saved ones are put back\n");
		return restoreSaved();
	}
	io.out(`the rules that table inet ${table} holds are in force again\n`);
	return exit.ok;
}
