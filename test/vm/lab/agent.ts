import { Lines } from "./lines.ts";
import { Stream, within } from "./wait.ts";

/** How a command in the guest ended. */
export interface Result {
	/** As in a shell: 128 + N after signal N; 137 when the time was up. */
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
	/** "stuck": killed when its time was up, and a second later still there (in the kernel). */
	readonly reason: "exit" | "signal" | "timeout" | "stuck";
}

/** A command that is running in the guest. */
export class GuestProcess {
	/** Complete lines of standard output, as they come. */
	readonly lines = new Stream<string>();
	readonly exited: Promise<Result>;
	private stdout = Buffer.alloc(0);
	private stderr = Buffer.alloc(0);
	private rest = "";
	private finish: (result: Result) => void = () => {};

	constructor(
		private readonly id: number,
		private readonly send: (line: string) => void,
	) {
		this.exited = new Promise((resolve) => {
			this.finish = resolve;
		});
	}

	/** What it has written so far. */
	output(): { stdout: string; stderr: string } {
		return { stdout: this.stdout.toString(), stderr: this.stderr.toString() };
	}

	write(text: string): void {
		// Pieces that the agent's pipe and line buffer take in one go.
		const data = Buffer.from(text);
		for (let at = 0; at < data.length; at += 16_384)
			this.send(`IN ${this.id} ${data.subarray(at, at + 16_384).toString("base64")}`);
	}

	closeInput(): void {
		this.send(`EOF ${this.id}`);
	}

	/** Signals its process group. */
	kill(signal = 15): void {
		this.send(`KILL ${this.id} ${signal}`);
	}

	receive(kind: string, words: readonly string[]): void {
		if (kind === "EXIT") {
			const reason = words[1] as Result["reason"];
			this.finish({ code: Number(words[0]), reason, ...this.output() });
			return;
		}
		const data = Buffer.from(words[0] ?? "", "base64");
		if (kind === "ERR") {
			this.stderr = Buffer.concat([this.stderr, data]);
			return;
		}
		this.stdout = Buffer.concat([this.stdout, data]);
		const parts = (this.rest + data.toString("latin1")).split("\n");
		this.rest = parts.pop() ?? "";
		for (const line of parts) this.lines.push(Buffer.from(line, "latin1").toString());
	}
}

/** The host's side of test/vm/guest/agent, port "lab.rpc". */
export class Agent {
	/** The boot ids of the guest's boots, in order; a new one is the sign that a reboot is complete. */
	readonly boots = new Stream<string>();
	private readonly running = new Map<number, GuestProcess>();
	private lines: Lines | undefined;
	private last = 0;

	static async open(path: string, ms: number, gone: () => string | undefined): Promise<Agent> {
		const agent = new Agent();
		agent.lines = await Lines.open(path, ms, gone, (line) => agent.receive(line));
		return agent;
	}

	private receive(line: string): void {
		const [kind = "", id = "", ...words] = line.split(" ");
		if (kind === "HELLO") {
			this.running.clear();
			this.boots.push(id);
			return;
		}
		const process = this.running.get(Number(id));
		process?.receive(kind, words);
		if (kind === "EXIT") this.running.delete(Number(id));
	}

	private begin(): { id: number; process: GuestProcess } {
		const id = ++this.last;
		const process = new GuestProcess(id, (line) => this.lines?.send(line));
		this.running.set(id, process);
		return { id, process };
	}

	/** Starts a shell script; `timeout` in milliseconds, 0 for none. */
	spawn(script: string, timeout = 0): GuestProcess {
		// The kernel's limit for one argument (MAX_ARG_STRLEN).
		if (Buffer.byteLength(script) >= 131_072)
			throw new Error("a script has at most 128 KiB: put a file instead");
		const { id, process } = this.begin();
		this.lines?.send(`RUN ${id} ${timeout} ${Buffer.from(script).toString("base64")}`);
		return process;
	}

	/** Runs a shell script to its end. Throws TimedOut only when the guest does not answer at all. */
	async run(script: string, timeout: number): Promise<Result> {
		const process = this.spawn(script, timeout);
		process.closeInput();
		return await within(timeout + 15_000, () => `the guest to end: ${script}`, process.exited);
	}

	/** Writes a file in the guest. */
	async put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
		const data = Buffer.from(content);
		const name = Buffer.from(path).toString("base64");
		for (let at = 0; at === 0 || at < data.length; at += 262_144) {
			const { id, process } = this.begin();
			const piece = data.subarray(at, at + 262_144).toString("base64");
			this.lines?.send(`PUT ${id} ${at === 0 ? 0 : 1} ${mode.toString(8)} ${name} ${piece}`);
			const { code } = await within(30_000, `the guest to write ${path}`, process.exited);
			if (code !== 0) throw new Error(`cannot write ${path} in the guest: errno ${code}`);
		}
	}

	close(): void {
		this.lines?.close();
	}
}
