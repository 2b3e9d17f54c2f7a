/** What the commands that ask the daemon to do something have in common. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { checkedSshSession } from "../../kernel/ssh-proof.ts";
import type { SshSession } from "../../kernel/ssh-session.ts";
import { type ControlReply, type ControlRequest, controlPath } from "../../serve/control/control-protocol.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { jsonOption } from "../outcome.ts";
import type { SettingsFlags } from "../settings.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { stoppedDaemon } from "../stopped-daemon.ts";
import { askPatiently } from "./control-client.ts";

/** The options by which each of them finds the daemon. */
export const daemonOptions = {
	config: { type: "string" },
	"state-dir": { type: "string" },
	...jsonOption,
} as const;

/** Asks the daemon of these settings, and says what it means where there is none. Returns the exit code. */
export async function askDaemon(
	request: ControlRequest,
	flags: SettingsFlags,
	io: Io,
	config: Pick<Config, "table" | "stateDir"> = commandSettings(flags, io),
): Promise<number> {
	const path = controlPath(config.stateDir);
	const answer = await askPatiently(path, request);
	if (answer.answered) return printReply(answer.reply, io);
	// A state directory that was named may be another daemon's than that of these settings.
	const stopped = answer.absent && flags["state-dir"] === undefined;
	const message = stopped ? `${stoppedDaemon(config)} (Nobody listens at ${path}.)` : answer.message;
	return printReply({ ok: false, message }, io);
}

/** A change's id as it was given, null where none was. */
export function changeId(text: string | undefined): string | null {
	if (text === undefined) return null;
	if (/^[0-9a-f]{16}$/.test(text)) return text;
	throw new UsageError("--id takes the 16 hexadecimal digits that apply and status print");
}

/** The SSH connection of this process. */
export function ownSession(): SshSession | null {
	return checkedSshSession(process.pid);
}

export function printReply(reply: ControlReply, io: Io): number {
	const [first = "", ...rest] = reply.message.split("\n").map(escapeForTerminal);
	const more = rest.map((line) => `    ${line}\n`).join("");
	if (reply.ok && reply.values !== undefined) io.values?.add(reply.values);
	if (reply.ok) io.out(`${first}\n${more}`);
	else io.error(`portward: ${first}\n${more}`);
	return reply.ok ? exit.ok : exit.failure;
}
