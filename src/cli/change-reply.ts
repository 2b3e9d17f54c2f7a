/** What the commands about pending changes have in common. */

import { type ControlReply, controlPath } from "../daemon/control-protocol.ts";
import { checkedSshSession } from "../observe/ssh-proof.ts";
import type { SshSession } from "../observe/ssh-session.ts";
import { escapeForTerminal } from "../report/terminal.ts";
import { exit, type Io, UsageError } from "./command.ts";
import type { SettingsFlags } from "./settings.ts";
import { commandSettings } from "./stand-in-settings.ts";

/** The options by which each of them finds the daemon. */
export const daemonOptions = { config: { type: "string" }, "state-dir": { type: "string" } } as const;

/** The daemon's socket, also where the settings file is broken. */
export function daemonSocket(flags: SettingsFlags, io: Io): string {
	return controlPath(commandSettings(flags, io).stateDir);
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
	if (reply.ok) io.out(`${first}\n${more}`);
	else io.error(`portward: ${first}\n${more}`);
	return reply.ok ? exit.ok : exit.failure;
}
