/** `portward top` in a real terminal, which has to be as before when it ends. */

import { expect, test } from "bun:test";
import { statusDocument } from "../../../src/report/status.ts";
import { Files } from "../../cli/support/portward.ts";
import { sampleState } from "../../report/sample.ts";
import { executable } from "../support/built.ts";
import { eventually } from "../support/netns.ts";

/** Runs top between two questions for the terminal's settings, and says what it left behind. */
async function terminal(end: (child: { write(keys: string): void; topPid(): number }) => void) {
	using files = new Files();
	const path = `${files.path}/s.sock`;
	await using _server = Bun.serve({
		unix: path,
		fetch: (request) =>
			new URL(request.url).pathname === "/v1/status"
				? Response.json(statusDocument(sampleState()))
				: new Response("", { status: 404 }),
	});
	let written = "";
	const decoder = new TextDecoder();
	const top = `exec ${executable()} top --config /dev/null --status-address unix:${path}`;
	const command = `stty -g; sh -c 'echo pid=$$; ${top}'; echo code=$?; stty -g`;
	const child = Bun.spawn(["sh", "-c", command], {
		terminal: {
			cols: 80,
			rows: 24,
			data: (_: unknown, bytes: Uint8Array) => {
				written += decoder.decode(bytes, { stream: true });
			},
		},
	});
	await eventually("the screen", () => written.includes("portward on vm1"));
	end({
		write: (keys) => void child.terminal?.write(keys),
		topPid: () => Number(/pid=(\d+)/u.exec(written)?.[1]),
	});
	await child.exited;
	await eventually("the end", () => /code=\d+\r\n\S+\r\n/u.test(written));
	const settings = written.split("\r\n")[0] ?? "";
	const [, code, after] = /code=(\d+)\r\n(\S+)\r\n/u.exec(written) ?? [];
	return { code: Number(code), before: settings, after, written };
}

test.each([
	["q", (child: { write(keys: string): void }) => child.write("q")],
	["Ctrl-C", (child: { write(keys: string): void }) => child.write("\x03")],
	["SIGTERM", (child: { topPid(): number }) => void process.kill(child.topPid(), "SIGTERM")],
])(
	"ended by %s it gives the terminal back as it was",
	async (_, end) => {
		const { code, before, after, written } = await terminal(end);
		expect([code, after]).toEqual([0, before]);
		expect(before).toMatch(/^[0-9a-f:]+$/u);
		const left = written.slice(written.lastIndexOf("\x1b[?1049h"));
		expect(left).toContain("\x1b[?25h\x1b[?1049l");
	},
	120_000,
);
