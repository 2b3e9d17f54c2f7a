/** Streams of packets and connections between a lab's namespaces. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trafficProgram } from "./built.ts";
import { type Lab, type Namespace, spawnBound } from "./netns.ts";
import { lines } from "./probe.ts";

/** One kind of packet in a flood, and what must become of it. */
export interface Target {
	readonly expect: "pass" | "drop";
	readonly protocol: "tcp" | "udp" | "sctp";
	readonly remote: string;
	readonly local: string;
	readonly port: number;
}

export interface FloodOptions {
	/** A guarded interface. */
	readonly interface: string;
	/** Packets go through these in turn. */
	readonly targets: readonly Target[];
	readonly packets: number;
	/** Packets a second; 0 is as fast as it goes. */
	readonly rate: number;
	/** Counts nothing and lets unread sockets take the packets, so that the time is the kernel's alone. */
	readonly sink?: boolean;
	/** With `sink`: one flow for each target, which its socket has answered before. */
	readonly established?: boolean;
	/** Where packets are received that the guarded host forwards; it receives its own where this is left out. */
	readonly guest?: Namespace;
}

export interface FloodResult {
	/** Packets that had to pass and did not. */
	readonly wronglyDropped: number;
	/** Packets that had to be dropped and passed. */
	readonly wronglyPassed: number;
	readonly sentToPass: number;
	readonly sentToDrop: number;
	/** Packets that the counter itself lost; the figures above mean nothing unless it is 0. */
	readonly uncounted: number;
	readonly seconds: number;
}

/** Sends packets into the guarded namespace and judges each. */
export async function flood(lab: Lab, options: FloodOptions): Promise<FloodResult> {
	const directory = mkdtempSync(join(tmpdir(), "portward-flood-"));
	try {
		const file = join(directory, "targets");
		const rows = options.targets.map(
			(target) => `${target.expect} ${target.protocol} ${target.remote} ${target.local} ${target.port}\n`,
		);
		writeFileSync(file, rows.join(""));
		const link = lab.link(options.interface);
		const output = await finish([
			trafficProgram(),
			"flood",
			lab.guarded.path,
			lab.peer.path,
			`${link.name}=${link.peerName}`,
			file,
			`${options.packets}`,
			`${options.rate}`,
			options.established ? "established" : options.sink ? "sink" : "count",
			...(options.guest === undefined ? [] : [options.guest.path]),
		]);
		const [sentToPass = 0, passed = 0, sentToDrop = 0, wronglyPassed = 0, uncounted = 0, seconds = 0] = output
			.split(" ")
			.map(Number);
		return { sentToPass, wronglyDropped: sentToPass - passed, sentToDrop, wronglyPassed, uncounted, seconds };
	} finally {
		rmSync(directory, { recursive: true });
	}
}

/** TCP connections a second from the peer to `address` in the guarded namespace. */
export async function connectionRate(lab: Lab, address: string, port: number, seconds: number) {
	const output = await finish([
		trafficProgram(),
		"cps",
		lab.guarded.path,
		lab.peer.path,
		address,
		`${port}`,
		`${seconds}`,
	]);
	const [connected = 0, failed = 0, elapsed = 1] = output.split(" ").map(Number);
	return { connected, failed, perSecond: connected / elapsed };
}

async function finish(argv: readonly string[]): Promise<string> {
	const child = spawnBound(argv);
	const [output, error, code] = await Promise.all([
		new Response(child.stdout).text(),
		new Response(child.stderr).text(),
		child.exited,
	]);
	if (code !== 0) throw new Error(`${argv.slice(1).join(" ")}: exit ${code}: ${error}`);
	return output.trim();
}

/** One flow that stays open, to an echo server. */
export class Conversation implements Disposable {
	readonly #process: ReturnType<typeof spawnBound>;
	readonly #answers: AsyncIterator<string>;
	/** Whether it was established; a UDP flow always is. */
	readonly opened: boolean;

	private constructor(
		process: ReturnType<typeof spawnBound>,
		answers: AsyncIterator<string>,
		opened: boolean,
	) {
		this.#process = process;
		this.#answers = answers;
		this.opened = opened;
	}

	/** Connects from `client`, there from the address `source`, to `address` in `server`, which is `listened` there if that is given. */
	static async open(
		client: Namespace,
		server: Namespace,
		protocol: "tcp" | "udp",
		address: string,
		port: number,
		source?: string,
		listened?: { readonly address: string; readonly port: number },
	): Promise<Conversation> {
		const argv = [trafficProgram(), "talk", server.path, client.path, protocol, address, `${port}`];
		const from = source === undefined && listened === undefined ? [] : [source ?? "-"];
		const at = listened === undefined ? [] : [listened.address, `${listened.port}`];
		const child = spawnBound([...argv, ...from, ...at]);
		const answers = lines(child.stdout);
		const first = await answers.next();
		if (first.done) throw new Error(await new Response(child.stderr).text());
		return new Conversation(child, answers, first.value === "open");
	}

	/** Sends a byte: `echo` when it came back in time, `closed` when the connection is gone. */
	async say(milliseconds = 300): Promise<"echo" | "silent" | "closed"> {
		return await this.#exchange(`${milliseconds}`);
	}

	/** The server sends a byte of its own accord: `echo` when it arrived in time. Over UDP, `say` something before. */
	async serve(milliseconds = 300): Promise<"echo" | "silent" | "closed"> {
		return await this.#exchange(`serve ${milliseconds}`);
	}

	async #exchange(line: string): Promise<"echo" | "silent" | "closed"> {
		this.#process.stdin.write(`${line}\n`);
		this.#process.stdin.flush();
		const answer = await this.#answers.next();
		const value = answer.done ? "" : answer.value;
		if (value !== "echo" && value !== "silent" && value !== "closed")
			throw new Error("the conversation broke off");
		return value;
	}

	[Symbol.dispose](): void {
		this.#process.kill("SIGKILL");
	}
}

/** Whether a TCP connection from `client` to `address` in `server` comes about. */
export async function connects(
	client: Namespace,
	server: Namespace,
	address: string,
	port: number,
): Promise<boolean> {
	using conversation = await Conversation.open(client, server, "tcp", address, port);
	return conversation.opened;
}
