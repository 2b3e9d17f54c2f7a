/** Datagrams to the service manager (sd_notify(3)). */

import { UnixDatagram } from "./datagram.ts";

export type NotifyResult = { readonly ok: true; readonly socket: NotifySocket } | NotifyFailure;

export interface NotifyFailure {
	readonly ok: false;
	readonly error: string;
}

export class NotifySocket {
	readonly #socket: UnixDatagram;

	private constructor(socket: UnixDatagram) {
		this.#socket = socket;
	}

	/** @param address as in $NOTIFY_SOCKET: an absolute path, or "@" and the name of an abstract socket. */
	static open(address: string): NotifyResult {
		const opened = UnixDatagram.open(address);
		return opened.ok ? { ok: true, socket: new NotifySocket(opened.socket) } : opened;
	}

	/** Sends assignments, such as "READY=1", without waiting for a manager whose queue is full. Null, or what went wrong. */
	send(assignments: readonly string[]): string | null {
		const sent = this.#socket.send(new TextEncoder().encode(assignments.join("\n")));
		return sent.ok ? null : sent.error;
	}

	/** A second call does nothing. */
	close(): void {
		this.#socket.close();
	}
}
