/** Debian's gRPC for Python as a client: see test/fixtures/kubearmor/client.py. */

import { join } from "node:path";
import { spawnBound } from "../../../system/support/netns.ts";
import { lines } from "../../../system/support/probe.ts";

const script = join(import.meta.dir, "../../../fixtures/kubearmor/client.py");

export interface ClientTls {
	readonly ca: string;
	readonly cert: string;
	readonly key: string;
}

/** What starts it; `inside` puts it into a network namespace. */
export function clientCommand(
	target: string,
	words: readonly string[],
	tls: ClientTls | null = null,
): string[] {
	const secured = tls === null ? [] : ["--tls", tls.ca, tls.cert, tls.key];
	return ["/usr/bin/python3", script, target, ...secured, ...words];
}

/** A client that runs, and what it has printed. */
export class Client implements Disposable {
	readonly #child: ReturnType<typeof spawnBound>;
	readonly #lines: AsyncIterator<string>;

	constructor(command: readonly string[]) {
		this.#child = spawnBound(command);
		this.#lines = lines(this.#child.stdout)[Symbol.asyncIterator]();
	}

	write(text: string): void {
		this.#child.stdin.write(text);
		this.#child.stdin.flush();
	}

	/** The next line, as the value that it holds. @throws Error with what the client says, where it ended */
	async next(): Promise<unknown> {
		const { value, done } = await this.#lines.next();
		if (done !== true) return JSON.parse(value);
		throw new Error(`the client ended: ${await new Response(this.#child.stderr).text()}`);
	}

	async take(count: number): Promise<unknown[]> {
		const taken: unknown[] = [];
		while (taken.length < count) taken.push(await this.next());
		return taken;
	}

	[Symbol.dispose](): void {
		this.#child.kill("SIGKILL");
	}
}

/** The first thing that a client says. */
export async function ask(
	target: string,
	words: readonly string[],
	tls: ClientTls | null = null,
): Promise<unknown> {
	using client = new Client(clientCommand(target, words, tls));
	return await client.next();
}
