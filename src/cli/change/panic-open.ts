import { InstanceLock } from "../../../ffi/lock.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { isOpen } from "../../enforcers/network/apply/open-table.ts";
import { controlPath } from "../../serve/control/control-protocol.ts";
import { cleanReason, longestReason, writePanic } from "../../state/panic.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { withKernelTable } from "../kernel.ts";
import { parseOnlyOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { ask } from "./control-client.ts";
import { isRoot, type PanicSettings, panicOptions, panicSettings } from "./panic-settings.ts";

const help = `Usage: portward panic-open --reason TEXT [--config FILE] [--state-dir DIR]
                           [--json]

Lets every packet pass, at once: portward's network table in this network
namespace blocks nothing any more, until \`portward resume\`. It works with a
daemon that runs, that hangs, and without one, and holds over its restart and
over a reboot: it is recorded in the state directory as panic.json, and no
start, reload, repair or restore closes the table while that file is there,
even where it is damaged. It is alerted, and /readyz says 503. For root alone.

USB devices stay as they are: portward usb allow, portward release usb.

  --reason TEXT    why, for those who read alerts and status; one line
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  where the daemon keeps its state (default /var/lib/portward)
  --json           print {ok, messages, problems, diagnostics}
`;

/** Milliseconds that the daemon may take; one that is loading a ruleset may take longer, and is gone round. */
const patienceMs = 3000;
/** Milliseconds after which a daemon that does not know of the record would have closed the table again. */
const undoneMs = 1000;

export const panicOpen: Command = {
	name: "panic-open",
	summary: "let everything pass, in an emergency, until resume",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, { reason: { type: "string" }, ...panicOptions });
		const reason = cleanReason(values.reason ?? "");
		if (reason === "")
			throw new UsageError(`say why, in at most ${longestReason} characters: --reason "..."`);
		const settings = panicSettings(values, io);
		if (!isRoot()) {
			io.error("portward: only root may open the network table\n");
			return exit.failure;
		}
		// The record comes first: a daemon that is told, or started, finds it there.
		const unwritten = writePanic(settings.stateDir, reason, Date.now());
		return unwritten === null ? open(settings, io) : openUnrecorded(settings, reason, unwritten, io);
	}),
};

async function open(settings: PanicSettings, io: Io): Promise<number> {
	const { table, stateDir } = settings;
	const answer = await ask(controlPath(stateDir), { verb: "panic-open" }, patienceMs);
	if (answer.answered && answer.reply.ok) {
		io.out(`${escapeForTerminal(answer.reply.message)}\n`);
		// A daemon that enforces no network policies does not look at what an earlier one left behind.
		const failed = isShut(table) ? openDirectly(table, io) : exit.ok;
		if (failed === exit.ok) io.out(afterwards);
		return failed;
	}
	if (answer.answered) io.error(`portward: the daemon: ${escapeForTerminal(answer.reply.message)}\n`);
	const held = InstanceLock.isHeld(table);
	if (held && !answer.answered) {
		io.error("portward: a daemon runs here, but does not answer; the table is opened without it\n");
	}
	const failed = openDirectly(table, io);
	if (failed !== exit.ok) return failed;
	if (!held) {
		io.out(afterwards);
		return exit.ok;
	}
	await Bun.sleep(undoneMs);
	if (!isShut(table)) {
		io.out(afterwards);
		return exit.ok;
	}
	io.error(
		"portward: something closed the table again; if the daemon has another state directory, name it with --state-dir\n",
	);
	return exit.failure;
}

/** Whether there is a table of ours that does not let everything pass. */
function isShut(table: string): boolean {
	const looked = withKernelTable(table, (ours, kernel) => {
		const inspected = ours.inspect();
		return inspected.ok && inspected.state === "ours" && !isOpen(kernel, table);
	});
	return looked.ok && looked.value;
}

const afterwards =
	"It is recorded, and holds over restarts, until `portward resume`. USB devices stay as they are.\n";

/** A full disk is no reason to stay shut: the daemon keeps it in mind, and without one nobody closes the table. */
async function openUnrecorded(
	{ table, stateDir }: PanicSettings,
	reason: string,
	error: string,
	io: Io,
): Promise<number> {
	const problem = (message: string) => io.error(`portward: ${escapeForTerminal(message)}\n`);
	problem(`it cannot be recorded in ${stateDir}: ${error}`);
	const answer = await ask(controlPath(stateDir), { verb: "panic-open", unrecorded: reason }, patienceMs);
	if (answer.answered && answer.reply.ok) {
		io.out(`${escapeForTerminal(answer.reply.message)}\n`);
		problem("unrecorded, this lasts until resume, or until the daemon ends");
		return exit.failure;
	}
	if (InstanceLock.isHeld(table)) {
		problem(
			answer.answered
				? answer.reply.message
				: "nothing is opened, as a daemon that does not answer would close it",
		);
		problem("stop the daemon, then: portward release");
		return exit.failure;
	}
	if (openDirectly(table, io) === exit.ok)
		problem("unrecorded, this lasts until the daemon or the machine starts");
	return exit.failure;
}

function openDirectly(table: string, io: Io): number {
	const result = withKernelTable(table, (kernel) => kernel.letAllPass());
	const error = !result.ok ? result.message : result.value.ok ? "" : result.value.error;
	if (error !== "") {
		io.error(`portward: ${escapeForTerminal(error)}\n`);
		return exit.failure;
	}
	const opened = result.ok && result.value.ok && result.value.opened;
	io.out(
		opened
			? `table inet ${table} lets everything pass\n`
			: `there is no table inet ${table} here: nothing is blocked\n`,
	);
	return exit.ok;
}
