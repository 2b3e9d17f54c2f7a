/**
 * Carries alerts over TCP or TLS, each with its length before it (RFC 6587, RFC 5425). Syslog's receivers acknowledge
 * nothing: a batch counts as received where the connection still stands a moment after all of it was written.
 */

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { SinkAddress, SinkSettings } from "../../config/sinks.ts";
import { certificateEnd, readTls } from "../files.ts";
import {
	allSent,
	cutText,
	notSent,
	type Outgoing,
	reasonOf,
	type Sent,
	type Transport,
} from "../transport.ts";

export interface StreamLimits {
	/** Milliseconds for a connection and its handshake. */
	readonly connect: number;
	/** Milliseconds within which the receiver has to read a batch. */
	readonly write: number;
	/** Milliseconds for which the connection has to stand after a batch. */
	readonly stand: number;
	/** The same after its first one: who refuses our certificate says so only then. */
	readonly firstStand: number;
}

const usualLimits: StreamLimits = { connect: 10_000, write: 30_000, stand: 100, firstStand: 2000 };
const keepAlive = 60_000;
/** A message that is longer is cut: no receiver takes as much. */
const longestMessage = 256 * 1024;

type Address = Extract<SinkAddress, { readonly host: string }>;

export class StreamTransport implements Transport {
	readonly most = { alerts: 1000, bytes: 512 * 1024 };
	readonly gather = 100;
	readonly #address: Address;
	readonly #tls: SinkSettings["tls"];
	readonly #encode: (outgoing: Outgoing) => string;
	readonly #limits: StreamLimits;
	certificateExpires: number | null = null;
	addresses: readonly string[] = [];
	#socket: Socket | null = null;
	/** Ends what is waited for on the connection of the moment. */
	#ended = Promise.withResolvers<string>();

	constructor(
		address: Address,
		tls: SinkSettings["tls"],
		encode: (outgoing: Outgoing) => string,
		limits: StreamLimits = usualLimits,
	) {
		this.#address = address;
		this.#tls = tls;
		this.#encode = encode;
		this.#limits = limits;
	}

	async send(batch: readonly Outgoing[]): Promise<Sent> {
		const { connect, write, stand, firstStand } = this.#limits;
		const first = this.#socket === null;
		if (first) {
			const failed = await this.#within(connect, "no connection came about", this.#connect());
			if (failed !== "") return this.#fail(failed);
		}
		const socket = this.#socket;
		if (socket === null) return notSent("the connection ended");
		const texts = batch.map(this.#encode);
		const messages = texts.map((text) => Buffer.from(cutText(text, longestMessage)));
		const cut = texts.filter(
			(text, index) => Buffer.byteLength(text) > (messages[index]?.length ?? 0),
		).length;
		const data = Buffer.concat(messages.flatMap((message) => [Buffer.from(`${message.length} `), message]));
		const written = new Promise<string>((resolve) => {
			socket.write(data, (error) => resolve(error?.message ?? ""));
		});
		const failed =
			(await this.#within(write, "the receiver does not read", written)) ||
			(await this.#within(first ? firstStand : stand, "", new Promise<string>(() => {})));
		return failed === "" ? { ...allSent(batch.length), cut } : this.#fail(failed);
	}

	close(): void {
		this.#fail("the sink was closed");
	}

	/** What `work` says, or that the connection ended first, or `late`. */
	async #within(milliseconds: number, late: string, work: Promise<string>): Promise<string> {
		const timer = Promise.withResolvers<string>();
		const timeout = setTimeout(() => timer.resolve(late), milliseconds);
		const first = await Promise.race([this.#ended.promise, work, timer.promise]);
		clearTimeout(timeout);
		return first;
	}

	/** Resolves with "" when the connection stands, and with what is wrong where it never will. */
	#connect(): Promise<string> {
		const { host, port, transport } = this.#address;
		const ended = Promise.withResolvers<string>();
		this.#ended = ended;
		const files = readTls(this.#tls);
		if (!files.ok) return Promise.resolve(files.error);
		this.certificateExpires = certificateEnd(files.value);
		let socket: Socket;
		try {
			socket =
				transport === "tls"
					? connectTls({ host, port, ...(isAddress(host) ? {} : { servername: host }), ...files.value })
					: connectTcp({ host, port });
		} catch (error) {
			// A certificate or key that cannot be parsed is refused here, not by an event.
			return Promise.resolve(reasonOf(error));
		}
		this.#socket = socket;
		const found: string[] = [];
		socket.on("lookup", (_error, address) => {
			if (address) found.push(address);
			this.addresses = [...found];
		});
		socket.setKeepAlive(true, keepAlive);
		// What a receiver says is of no interest, but has to be taken from the connection to see its end.
		socket.resume();
		socket.on("error", (error) => ended.resolve(error.message || "the connection failed"));
		for (const event of ["end", "close"]) {
			socket.on(event, () => {
				ended.resolve("the receiver ended the connection");
				if (this.#socket === socket) this.#socket = null;
				socket.destroy();
			});
		}
		return new Promise((resolve) => {
			socket.on(transport === "tls" ? "secureConnect" : "connect", () => resolve(""));
		});
	}

	#fail(error: string): Sent {
		this.#ended.resolve(error);
		this.#socket?.destroy();
		this.#socket = null;
		return notSent(error);
	}
}

function isAddress(host: string): boolean {
	return host.includes(":") || /^[0-9.]+$/.test(host);
}
