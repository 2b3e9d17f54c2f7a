/** One client's connection: reads heads, sends answers one after another, feeds a stream. */

import { alertRow } from "../../report/page/alert-row.ts";
import { encodeReply, encodeStreamHead, type Reply, textReply } from "../../report/reply.ts";
import { type AlertLine, matchesFilter } from "../../report/sinks/alert-ring.ts";
import type { Limits } from "./limits.ts";
import { maxHeadBytes, parseRequest, type Request } from "./request.ts";
import type { StreamRequest } from "./routes.ts";

/** The socket below. `write` returns how many bytes were taken; less than 1 when none. */
export interface Wire {
	write(bytes: Uint8Array): number;
	/** Sends FIN and goes on reading. */
	shutdown(): void;
	close(): void;
}

/** What a connection asks of its server. */
export interface Host {
	readonly limits: Limits;
	/** Milliseconds, monotonic. */
	readonly monotonic: () => number;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	/** The answer to a request; never rejects. */
	answer(request: Request, connection: Connection): Promise<void>;
}

/**
 * `head`: waiting for a request. `answer`: making or sending one answer. `stream`:
 * an event stream. `linger`: all is said, the client's rest is thrown away. `closed`.
 */
export type Phase = "head" | "answer" | "stream" | "linger" | "closed";

export class Connection {
	#wire: Wire;
	readonly #host: Host;
	#phase: Phase = "head";
	/** When the phase must have ended, on the monotonic clock. */
	#deadline: number;
	#input: Buffer = Buffer.alloc(0);
	#searched = 0;
	#output: Buffer = Buffer.alloc(0);
	/** Bytes of what `#output` is the rest of. */
	#begun = 0;
	/** What follows it. */
	#behind: readonly Buffer[] = [];
	#requests = 0;
	#keepAlive = false;
	/** The client will send no more. */
	#ended = false;
	#nextHeartbeat = 0;
	#asked: StreamRequest = { filter: { policy: null, action: null }, form: "fields" };
	/** Whom it counts for. */
	readonly client: string;
	/** Called once when the connection is over. */
	onClosed: () => void = () => {};
	/** Called once, before the wire is closed: whoever waits for something of it stops that. */
	onLeave: () => void = () => {};

	constructor(wire: Wire, host: Host, client: string) {
		this.client = client;
		this.#wire = wire;
		this.#host = host;
		this.#deadline = host.monotonic() + host.limits.headTime;
	}

	get phase(): Phase {
		return this.#phase;
	}

	/** Bytes that are held for what the client has not taken: a part that is left keeps its whole. */
	get outstanding(): number {
		const held = this.#phase === "answer" && this.#output.length > 0 ? this.#begun : this.#output.length;
		return this.#behind.reduce((sum, { length }) => sum + length, held);
	}

	/** Goes on over another wire, such as TLS on top of the one that there was. */
	moveTo(wire: Wire): void {
		this.#wire = wire;
	}

	/** Bytes from the client. */
	receive(bytes: Uint8Array): void {
		if (this.#phase === "stream" || this.#phase === "linger" || this.#phase === "closed") return;
		if (this.#input.length + bytes.length > 2 * maxHeadBytes && this.#phase === "answer") {
			this.close();
			return;
		}
		// A head is at most 8 KiB, so what exceeds twice that is never needed to refuse it.
		const room = 2 * maxHeadBytes - this.#input.length;
		this.#input = Buffer.concat([this.#input, bytes.subarray(0, Math.max(0, room))]);
		if (this.#phase === "head") this.#readHead();
	}

	/** The client will send no more; a pending answer is still sent. */
	receiveEnd(): void {
		this.#ended = true;
		if (this.#phase !== "answer") this.close();
	}

	/** The wire has room again. */
	drain(): void {
		if (this.#phase === "closed") return;
		const before = this.#output.length;
		while (this.#output.length > 0) {
			const written = this.#wire.write(this.#output);
			if (written <= 0) break;
			this.#output = this.#output.subarray(written);
			if (this.#output.length === 0) this.#next();
		}
		if (this.#phase === "stream" && this.#output.length < before) {
			this.#deadline = this.#host.monotonic() + this.#host.limits.stallTime;
		}
		if (this.#phase === "answer" && this.#output.length === 0 && before > 0) this.#answered();
	}

	/** Sends one whole answer. `close`: the connection carries no other request. */
	reply(reply: Reply, headOnly: boolean, close: boolean): void {
		if (this.#phase === "closed" || this.#phase === "linger") return;
		this.#phase = "answer";
		this.#deadline = this.#host.monotonic() + this.#host.limits.answerTime;
		this.#keepAlive = this.#keepAlive && !close && !this.#ended;
		this.#behind = encodeReply(reply, {
			headOnly,
			keepAlive: this.#keepAlive,
			now: this.#host.now(),
		});
		this.#next();
		this.drain();
	}

	/** What was sent is let go whole: a part of it would keep all in memory. */
	#next(): void {
		const [first = Buffer.alloc(0), ...behind] = this.#behind;
		this.#output = first;
		this.#begun = first.length;
		this.#behind = behind;
	}

	/** Turns the connection into an event stream. */
	beginStream(asked: StreamRequest, headOnly: boolean): void {
		if (this.#phase !== "answer") return;
		const head = encodeStreamHead(this.#host.now());
		if (headOnly) {
			this.#keepAlive = false;
			this.#output = head;
			this.drain();
			return;
		}
		this.#phase = "stream";
		this.#asked = asked;
		const now = this.#host.monotonic();
		this.#deadline = now + this.#host.limits.stallTime;
		this.#nextHeartbeat = now + this.#host.limits.heartbeatTime;
		this.#output = Buffer.concat([head, Buffer.from("retry: 2000\n: connected\n\n")]);
		this.drain();
	}

	/** Queues alerts on the stream. Returns how many that it should have shown it had no room for. */
	deliver(lines: readonly AlertLine[]): number {
		if (this.#phase !== "stream") return 0;
		const wanted = lines.filter((line) => matchesFilter(line, this.#asked.filter));
		const chunks: Buffer[] = [this.#output];
		let bytes = this.#output.length;
		let dropped = 0;
		for (const line of wanted) {
			const text = this.#asked.form === "fields" ? line.json : JSON.stringify(alertRow(line.json));
			const chunk = Buffer.from(`data: ${text}\n\n`);
			if (bytes + chunk.length > this.#host.limits.streamBytes) dropped++;
			else {
				chunks.push(chunk);
				bytes += chunk.length;
			}
		}
		this.#send(chunks, bytes);
		return dropped;
	}

	/** Ends phases that took too long and keeps streams alive. */
	sweep(now: number): void {
		if (this.#phase === "stream") {
			if (now >= this.#nextHeartbeat) {
				this.#nextHeartbeat = now + this.#host.limits.heartbeatTime;
				const beat = Buffer.from(": heartbeat\n\n");
				const bytes = this.#output.length + beat.length;
				if (bytes <= this.#host.limits.streamBytes) this.#send([this.#output, beat], bytes);
			}
			if (this.#output.length === 0) this.#deadline = now + this.#host.limits.stallTime;
		}
		if (now >= this.#deadline) this.#expire();
	}

	close(): void {
		if (this.#phase === "closed") return;
		this.#phase = "closed";
		this.#input = Buffer.alloc(0);
		this.#output = Buffer.alloc(0);
		this.#behind = [];
		this.onLeave();
		this.#wire.close();
		this.onClosed();
	}

	/** A client that was slow with a request is told so, an idle one is left in good order. */
	#expire(): void {
		if (this.#phase !== "head") this.close();
		else if (this.#input.length > 0) this.reply(textReply(408, "the request took too long"), false, true);
		else this.#part();
	}

	/** Sends FIN and throws away what the client still sends, for a while. */
	#part(): void {
		this.#phase = "linger";
		this.#input = Buffer.alloc(0);
		this.#deadline = this.#host.monotonic() + this.#host.limits.lingerTime;
		this.#wire.shutdown();
	}

	#send(chunks: readonly Buffer[], bytes: number): void {
		this.#output = Buffer.concat(chunks, bytes);
		this.drain();
	}

	#readHead(): void {
		const result = parseRequest(this.#input, this.#searched);
		if (result.kind === "incomplete") {
			this.#searched = this.#input.length;
			return;
		}
		this.#searched = 0;
		this.#phase = "answer";
		this.#deadline = this.#host.monotonic() + this.#host.limits.answerTime;
		if (result.kind === "bad") {
			this.#keepAlive = false;
			this.reply(textReply(result.status, result.reason), false, true);
			return;
		}
		this.#input = this.#input.subarray(result.bytes);
		this.#requests++;
		this.#keepAlive =
			result.request.keepAlive && this.#requests < this.#host.limits.requestsPerConnection && !this.#ended;
		void this.#host.answer(result.request, this);
	}

	/** The answer is in the kernel's hands: read the next request, or part in good order. */
	#answered(): void {
		if (this.#ended) {
			this.close();
			return;
		}
		if (!this.#keepAlive) {
			this.#part();
			return;
		}
		this.#phase = "head";
		this.#deadline = this.#host.monotonic() + this.#host.limits.headTime;
		if (this.#input.length > 0) this.#readHead();
	}
}
