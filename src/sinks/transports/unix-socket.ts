/** Carries alerts to a socket of this host in single datagrams: the journal's own, and /dev/log. */

import { UnixDatagram } from "../../../ffi/datagram.ts";
import { notSent, type Outgoing, type Sent, type Transport } from "../transport.ts";

/** What the journal's own library asks for; the kernel gives what its limits allow. */
const sendBuffer = 8 * 1024 * 1024;
/** Milliseconds until a receiver that had no room is asked again. */
const fullWait = 20;

/** Makes the message of an alert; `short` where the first was longer than any datagram. */
export type EncodeDatagram = (outgoing: Outgoing, short: boolean) => Uint8Array;

export class UnixSocketTransport implements Transport {
	readonly most = { alerts: 200, bytes: 256 * 1024 };
	readonly gather = 0;
	readonly #path: string;
	readonly #encode: EncodeDatagram;
	#socket: UnixDatagram | null = null;

	constructor(path: string, encode: EncodeDatagram) {
		this.#path = path;
		this.#encode = encode;
	}

	async send(batch: readonly Outgoing[]): Promise<Sent> {
		if (this.#socket === null) {
			const opened = UnixDatagram.open(this.#path, sendBuffer);
			if (!opened.ok) return notSent(opened.error);
			this.#socket = opened.socket;
		}
		let done = 0;
		let cut = 0;
		for (const outgoing of batch) {
			let sent = this.#socket.send(this.#encode(outgoing, false));
			const long = !sent.ok && sent.reason === "long";
			if (long) sent = this.#socket.send(this.#encode(outgoing, true));
			if (!sent.ok) {
				if (sent.reason === "full") return { done, refused: 0, cut, error: "", wait: fullWait };
				return { ...notSent(`${this.#path}: ${sent.error}`), done, cut };
			}
			if (long) cut++;
			done++;
		}
		return { done, refused: 0, cut, error: "", wait: null };
	}

	close(): void {
		this.#socket?.close();
		this.#socket = null;
	}
}
