/** Whether a confirmation shows that the host can still be reached, and what is answered where it does not. Pure. */

import type { SshSession } from "../../kernel/ssh-session.ts";
import type { ControlReply } from "../../serve/control/control-protocol.ts";
import type { PendingChange } from "../../state/pending-record.ts";

/**
 * @param found what is known of the connection that the one who confirms belongs to: the daemon's own finding,
 * and that of the client, as the daemon may not be allowed to read another process's environment. Null: none.
 * @param insists whether a connection from before is to count as well.
 * @returns how it was confirmed, or why it was not.
 */
export function checkSession(
	{ enforced, started }: Pick<PendingChange, "enforced" | "started">,
	found: readonly (SshSession | null)[],
	insists: boolean,
): ControlReply {
	const sessions = found.filter((session) => session !== null);
	const [session] = sessions;
	if (session === undefined) {
		const message = "unchecked: no SSH session was found, so nobody knows whether a new one can be opened";
		return { ok: true, message };
	}
	const { connection } = session;
	const opened = Math.min(...sessions.map((each) => each.opened));
	const fresh = opened >= (enforced ?? started);
	// The daemon may not be allowed to look at sshd's process, and the client is.
	const proven = sessions.some((each) => each.unproven !== true && each.connection === connection);
	if (fresh && !proven) {
		if (insists)
			return { ok: true, message: `over a connection that nothing proves, as was insisted: ${connection}` };
		return refusal(
			`SSH_CONNECTION says ${connection}, but no sshd that this command descends from holds that connection, so it shows nothing; confirm in a new SSH session, outside of tmux and screen, or insist with --same-session`,
		);
	}
	if (fresh) {
		return { ok: true, message: `over a connection that was opened since: ${connection}` };
	}
	if (insists)
		return { ok: true, message: `over a connection from before it, as was insisted: ${connection}` };
	return refusal(
		`this connection (${connection}) was opened before the change was in force, so it does not show that a new one can be opened; open one and confirm there, outside of tmux and screen, or insist with --same-session`,
	);
}

/** To who asked for what is in force: no change waits. */
export function inForceAlready(message: string): ControlReply {
	return { ok: true, message, values: { change: null, seconds: null } };
}

export function refusal(message: string): ControlReply {
	return { ok: false, message };
}
