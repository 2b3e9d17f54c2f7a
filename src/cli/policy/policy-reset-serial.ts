/** `portward policy reset-serial`: the way out where nobody can tell which signed policies were the newest. */

import { InstanceLock } from "../../../ffi/lock.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { controlPath } from "../../serve/control/control-protocol.ts";
import { forgetSerial } from "../../state/policy-serial.ts";
import { noteReset } from "../../state/serial-reset.ts";
import { daemonOptions, printReply } from "../change/change-reply.ts";
import { ask } from "../change/control-client.ts";
import { isRoot } from "../change/panic-settings.ts";
import { exit, type Io } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";

/** Milliseconds for the daemon, which reads the policies as well. */
const patienceMs = 120_000;

const risk =
	"From now on any set that a trusted key ever signed is taken, also an old one, until one is in force.\n" +
	"See that the policy directory holds the newest.\n";

export async function policyResetSerial(args: readonly string[], io: Io): Promise<number> {
	const values = parseOnlyOptions(args, daemonOptions);
	const fail = (message: string) => {
		io.error(`portward: ${escapeForTerminal(message)}\n`);
		return exit.failure;
	};
	if (!isRoot()) return fail("only root may reset the serial");
	const { table, stateDir } = commandSettings(values, io);
	io.error(risk);
	const answer = await ask(controlPath(stateDir), { verb: "reset-serial" }, patienceMs);
	if (answer.answered) return printReply(answer.reply, io);
	if (InstanceLock.isHeld(table)) return fail(`a daemon runs here, but does not answer: ${answer.message}`);
	// The note comes first: nothing is forgotten that nobody would be told of.
	const problem = noteReset(stateDir, `process ${process.pid} of root`) ?? forgetSerial(stateDir);
	if (problem !== null) return fail(`the serial cannot be reset: ${problem}`);
	io.out("the serial is reset; the daemon alerts it at its next start\n");
	return exit.ok;
}
