/**
 * Holds connections until their ClientHello is there. Only then does a handshake
 * begin, and cost something: who merely connects, or sends anything else, takes
 * nothing from the budget of those who mean it.
 */

import { arrivedHello } from "../../kernel/arrived-hello.ts";

/** Milliseconds between looks at what has arrived, while somebody is waited for. */
const lookInterval = 10;

interface Waiting {
	/** The descriptor of a stream socket that nobody reads. */
	readonly fd: number;
	/** Called once, when the ClientHello has arrived (true), or none will come (false). */
	readonly settled: (hello: boolean) => void;
}

export class HelloGate {
	readonly #waiting = new Set<Waiting>();
	#timer: ReturnType<typeof setInterval> | null = null;

	/** Waits for a client; the returned function ends that. */
	wait(fd: number, settled: (hello: boolean) => void): () => void {
		const waiting = { fd, settled };
		this.#waiting.add(waiting);
		this.#look(waiting);
		if (this.#waiting.size > 0) this.#timer ??= setInterval(() => this.#lookAtAll(), lookInterval);
		return () => this.#leave(waiting);
	}

	#lookAtAll(): void {
		for (const waiting of [...this.#waiting]) this.#look(waiting);
	}

	#look(waiting: Waiting): void {
		if (!this.#waiting.has(waiting)) return;
		const hello = arrivedHello(waiting.fd);
		if (hello === "incomplete") return;
		this.#leave(waiting);
		waiting.settled(hello === "hello");
	}

	#leave(waiting: Waiting): void {
		this.#waiting.delete(waiting);
		if (this.#waiting.size > 0 || this.#timer === null) return;
		clearInterval(this.#timer);
		this.#timer = null;
	}
}
