/** Questions to servers of `traffic answer`, and connections to them that stay open. */

import { trafficProgram } from "../../system/support/built.ts";
import { eventually, spawnBound } from "../../system/support/netns.ts";
import { lines } from "../../system/support/probe.ts";

export interface Question {
	/** The network namespace of who asks. */
	readonly from: string;
	readonly protocol: "tcp" | "udp";
	/** The address that it asks from; the kernel's choice when absent. */
	readonly source?: string;
	/** With `source`; the kernel's choice when absent. */
	readonly sourcePort?: number;
	readonly address: string;
	readonly port: number;
}

/** How long an answer may take before a question counts as dropped. Questions are asked at once, so a round costs this once. */
const patience = 4000;

/** For each question the address that the server saw, or why there was no answer. */
export async function ask(questions: readonly Question[]): Promise<string[]> {
	const child = spawnBound([trafficProgram(), "ask", `${patience}`]);
	const text = questions.map(
		({ from, protocol, source = "-", sourcePort = 0, address, port }) =>
			`${from} ${protocol} ${source} ${sourcePort} ${address} ${port}
`,
	);
	child.stdin.write(text.join(""));
	await child.stdin.end();
	const [output, error, code] = await Promise.all([
		new Response(child.stdout).text(),
		new Response(child.stderr).text(),
		child.exited,
	]);
	if (code !== 0) throw new Error(error);
	return output.trimEnd().split("\n");
}

/** Whether each question was answered. */
export async function answered(questions: readonly Question[]): Promise<boolean[]> {
	return (await ask(questions)).map((answer) => answer.startsWith("answer "));
}

/** Starts a server of `traffic answer`, with `prefix` before it, and waits until it serves. */
export async function serve(prefix: readonly string[], ports: readonly number[]) {
	const server = spawnBound([...prefix, trafficProgram(), "answer", ...ports.map(String)]);
	const first = await lines(server.stdout).next();
	if (first.done) throw new Error(await new Response(server.stderr).text());
	return server;
}

/** Waits until a server of `traffic answer` that was started otherwise serves a port. */
export async function untilServed(from: string, port: number): Promise<void> {
	const question: Question = { from, protocol: "tcp", address: "127.0.0.1", port };
	await eventually(`a server on ${port}`, async () => (await answered([question]))[0]);
}

/** An open TCP connection to a server that keeps sending. */
export class Held implements Disposable {
	readonly #process: ReturnType<typeof spawnBound>;
	#heard = 0;
	#state: "opening" | "open" | "closed" = "opening";

	private constructor(process: ReturnType<typeof spawnBound>) {
		this.#process = process;
		void this.#listen();
	}

	static async open({ from, source = "-", address, port }: Omit<Question, "protocol">): Promise<Held> {
		const held = new Held(spawnBound([trafficProgram(), "hold", from, source, address, `${port}`]));
		await eventually("an open connection", () => held.#heard > 0 || held.#state === "closed");
		if (held.#state === "closed") throw new Error(`no connection to ${address} port ${port}`);
		return held;
	}

	/** Whether something still comes in, or the connection ended or fell silent: nothing in `milliseconds`. */
	async hears(milliseconds = 1500): Promise<boolean> {
		const before = this.#heard;
		const deadline = performance.now() + milliseconds;
		while (performance.now() < deadline && this.#heard === before) await Bun.sleep(10);
		return this.#heard > before;
	}

	async #listen(): Promise<void> {
		for await (const line of lines(this.#process.stdout)) {
			if (line === "heard") this.#heard++;
			else this.#state = line === "open" ? "open" : "closed";
		}
		this.#state = "closed";
	}

	[Symbol.dispose](): void {
		this.#process.kill("SIGKILL");
	}
}
