import { connect, type Socket } from "node:net";
import { until } from "./wait.ts";

/** One end of a Unix socket that carries lines. */
export class Lines {
	private rest = "";

	private constructor(
		private readonly socket: Socket,
		private readonly onLine: (line: string) => void,
	) {
		socket.setEncoding("latin1");
		socket.on("data", (chunk: string) => this.receive(chunk));
		// The end of the peer is noticed by whoever waits for its process.
		socket.on("error", () => {});
	}

	/** Connects once the path is there; gives up after `ms` milliseconds or when `gone` says so. */
	static async open(
		path: string,
		ms: number,
		gone: () => string | undefined,
		onLine: (line: string) => void,
	): Promise<Lines> {
		const socket = await until(ms, `a socket at ${path}`, async () => {
			const end = gone();
			if (end !== undefined) throw new Error(end);
			return await new Promise<Socket | undefined>((resolve) => {
				const attempt = connect({ path });
				attempt.once("connect", () => resolve(attempt));
				attempt.once("error", () => resolve(undefined));
			});
		});
		return new Lines(socket, onLine);
	}

	private receive(chunk: string): void {
		const parts = (this.rest + chunk).split("\n");
		this.rest = parts.pop() ?? "";
		for (const line of parts) if (line !== "") this.onLine(line);
	}

	send(line: string): void {
		this.socket.write(`${line}\n`, "latin1");
	}

	close(): void {
		this.socket.destroy();
	}
}
