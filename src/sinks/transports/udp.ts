/** Carries alerts over UDP, one datagram each. Nobody says whether one arrived. */

import { lookup } from "node:dns/promises";
import { cutText, notSent, type Outgoing, type Sent, type Transport } from "../transport.ts";

/** What an IPv4 datagram holds, and some to spare. */
const longestDatagram = 65_000;
const fullWait = 20;

type Socket = Awaited<ReturnType<typeof connect>>;

function connect(hostname: string, port: number, failed: (error: unknown) => void) {
	return Bun.udpSocket({ connect: { hostname, port }, socket: { error: (_, error) => failed(error) } });
}

export class UdpTransport implements Transport {
	readonly most = { alerts: 200, bytes: 256 * 1024 };
	readonly gather = 0;
	readonly #host: string;
	readonly #port: number;
	readonly #encode: (outgoing: Outgoing) => string;
	addresses: readonly string[] = [];
	#socket: Socket | null = null;
	/** What the kernel said later of a datagram that it had taken. */
	#complaint: unknown = null;
	#closed = false;

	constructor(host: string, port: number, encode: (outgoing: Outgoing) => string) {
		this.#host = host;
		this.#port = port;
		this.#encode = encode;
	}

	async send(batch: readonly Outgoing[]): Promise<Sent> {
		let done = 0;
		let cut = 0;
		try {
			this.#socket ??= await this.#open();
			const socket = this.#socket;
			for (const outgoing of batch) {
				const whole = this.#encode(outgoing);
				const text = cutText(whole, longestDatagram);
				if (this.#complaint !== null) throw this.#complaint;
				if (!socket.send(text)) return { done, refused: 0, cut, error: "", wait: fullWait };
				if (text.length < whole.length) cut++;
				done++;
			}
			return { done, refused: 0, cut, error: "", wait: null };
		} catch (error) {
			// A name may lead elsewhere by the next time.
			this.#drop();
			return { ...notSent(error), done, cut };
		}
	}

	close(): void {
		this.#closed = true;
		this.#drop();
	}

	async #open(): Promise<Socket> {
		const { address } = await lookup(this.#host);
		this.addresses = [address];
		const socket = await connect(address, this.#port, (error) => {
			this.#complaint = error ?? new Error("nobody listens there");
		});
		if (!this.#closed) return socket;
		socket.close();
		throw new Error("the sink was closed");
	}

	#drop(): void {
		this.#socket?.close();
		this.#socket = null;
		this.#complaint = null;
	}
}
