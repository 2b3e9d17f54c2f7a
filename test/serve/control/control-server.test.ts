import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { control } from "../../../src/cli/change/control-client.ts";
import {
	type ControlRequest,
	controlPath,
	formatReply,
	longestReply,
	longestRequest,
	parseReply,
	parseRequest,
	patienceMs,
} from "../../../src/serve/control/control-protocol.ts";
import { type ControlOptions, ControlServer } from "../../../src/serve/control/control-server.ts";

let directory: string;
let path: string;
let servers: ControlServer[];
let performed: ControlRequest[];
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-control."));
	path = controlPath(directory);
	servers = [];
	performed = [];
});
afterEach(() => {
	for (const server of servers) server.stop();
	rmSync(directory, { recursive: true, force: true });
});

async function open(over: Partial<ControlOptions> = {}): Promise<void> {
	const perform = async (request: ControlRequest) => {
		performed.push(request);
		return { ok: true, message: "done" } as const;
	};
	const opened = await ControlServer.open({ path, perform, ...over });
	if (!opened.ok) throw new Error(opened.error);
	servers.push(opened.server);
}

/** Sends bytes as they are, and gives what comes back until the end. */
async function raw(text: string): Promise<string> {
	let got = "";
	const closed = Promise.withResolvers<void>();
	const socket = await Bun.connect({
		unix: path,
		socket: {
			data: (_socket, bytes) => {
				got += bytes.toString();
			},
			close: () => closed.resolve(),
		},
	});
	socket.write(text);
	await closed.promise;
	return got;
}

const done = async () => ({ ok: true, message: "" }) as const;

const request: ControlRequest = { verb: "usb-allow", port: "1-4.2", seconds: 600 };

describe("the control socket", () => {
	test("carries a request of root's, and only root reaches the file", async () => {
		await open();
		expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(await control(path, request)).toEqual({ ok: true, message: "done" });
		expect(performed).toEqual([request]);
	});

	test("refuses every other user by the peer's credentials, whatever the file's mode", async () => {
		await open();
		chmodSync(directory, 0o755);
		chmodSync(path, 0o666);
		const script = `const s = await Bun.connect({unix: ${JSON.stringify(path)}, socket: {data(_, b) { process.stdout.write(b); }, close() { process.exit(0); }}}); s.write(${JSON.stringify(`${JSON.stringify(request)}\n`)});`;
		const copy = join(directory, "bun");
		await Bun.write(copy, Bun.file(process.execPath));
		chmodSync(copy, 0o755);
		const child = Bun.spawn(
			["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "-e", script],
			{
				cwd: "/",
				env: { HOME: "/", TMPDIR: "/tmp" },
				stderr: "pipe",
			},
		);
		const answer = await child.stdout.text();
		expect(parseReply(answer.trim())).toEqual({ ok: false, message: "only root may do this" });
		expect(performed).toEqual([]);
	});

	test("refuses a peer that cannot be told", async () => {
		await open({ credentials: () => ({ ok: false, error: "no" }) });
		expect(await control(path, request)).toMatchObject({
			ok: false,
			message: expect.stringContaining("cannot be told"),
		});
		expect(performed).toEqual([]);
	});

	test.each([
		["no JSON", "hello\n"],
		["another verb", '{"verb":"usb-allow-all","port":"1-4","seconds":1}\n'],
		["a path for a port", '{"verb":"usb-allow","port":"../../x","seconds":1}\n'],
		["a root hub", '{"verb":"usb-allow","port":"usb1","seconds":1}\n'],
		["no time", '{"verb":"usb-allow","port":"1-4"}\n'],
		["more than a day", '{"verb":"usb-allow","port":"1-4","seconds":86401}\n'],
		["a field too many", '{"verb":"usb-allow","port":"1-4","seconds":1,"x":1}\n'],
		["too many bytes", `${"x".repeat(longestRequest + 1)}`],
		["a line that is too long", `${"x".repeat(longestRequest + 1)}\n`],
	])("refuses %s", async (_what, text) => {
		await open();
		expect(JSON.parse(await raw(text)).ok).toBe(false);
		expect(performed).toEqual([]);
	});

	test("does not wait for a request that never ends", async () => {
		await open();
		const started = performance.now();
		const many = Array.from({ length: 12 }, () => raw("{"));
		expect(await Promise.all(many)).toEqual(many.map(() => ""));
		expect(performance.now() - started).toBeGreaterThanOrEqual(patienceMs - 50);
		expect(await control(path, request)).toMatchObject({ ok: true });
	});

	test("where all places are taken, those who ask for nothing make room for who asks", async () => {
		await open();
		const started = performance.now();
		const idle = Array.from({ length: 400 }, () => raw("{"));
		expect(await control(path, request)).toMatchObject({ ok: true });
		expect(performance.now() - started).toBeLessThan(patienceMs / 2);
		expect(await Promise.all(idle)).toEqual(idle.map(() => ""));
	});

	test("no more than so many are at work at a time, and a newcomer is told", async () => {
		const work = Promise.withResolvers<void>();
		let atWork = 0;
		await open({
			perform: async () => {
				atWork += 1;
				await work.promise;
				return { ok: true, message: "worked" };
			},
		});
		const busy = Array.from({ length: 64 }, () => control(path, request));
		while (atWork < 64) await Bun.sleep(1);
		expect(await control(path, request)).toMatchObject({
			ok: false,
			message: expect.stringContaining("busy"),
		});
		work.resolve();
		expect(await Promise.all(busy)).toEqual(busy.map(() => ({ ok: true, message: "worked" })));
		expect(await control(path, request)).toEqual({ ok: true, message: "worked" });
	});

	test("answers a request that takes too long, and one that brings out a bug", async () => {
		const failures: unknown[] = [];
		await open({ perform: () => new Promise(() => {}), performMs: 50 });
		expect(await control(path, request)).toMatchObject({ ok: false });
		servers.pop()?.stop();
		const bug = new Error("a bug");
		await open({ perform: () => Promise.reject(bug), failed: (error) => failures.push(error) });
		expect(await control(path, request)).toMatchObject({
			ok: false,
			message: expect.stringContaining("bug"),
		});
		expect(failures).toEqual([bug]);
	});

	test("a request may come in pieces, a reply may be long, and neither ends where a character does", async () => {
		const message = "ü".repeat(20_000);
		await open({ perform: async () => ({ ok: true, message }) });
		const got = Promise.withResolvers<string>();
		const chunks: Buffer[] = [];
		const socket = await Bun.connect({
			unix: path,
			socket: {
				data: (_socket, bytes) => {
					chunks.push(Buffer.from(bytes));
				},
				close: () => got.resolve(Buffer.concat(chunks).toString()),
			},
		});
		for (const character of `${JSON.stringify(request)}\n`) {
			socket.write(character);
			socket.flush();
			await Bun.sleep(1);
		}
		expect(parseReply((await got.promise).trim())).toEqual({ ok: true, message });
	});

	test("takes a dead daemon's place, not a live one's nor another file's", async () => {
		await open();
		expect(await ControlServer.open({ path, perform: done })).toMatchObject({
			ok: false,
		});
		servers.pop()?.stop();
		expect(() => statSync(path)).toThrow();
		writeFileSync(path, "");
		expect(await ControlServer.open({ path, perform: done })).toMatchObject({
			ok: false,
		});
	});

	test("without a daemon there is a sentence", async () => {
		expect(await control(path, request)).toMatchObject({
			ok: false,
			message: expect.stringContaining("is portward running"),
		});
	});
});

test("a reply is never longer than the client reads, whatever characters it is made of", () => {
	for (const character of ["x", "\u0001", "ü", "😀", '"']) {
		const line = formatReply({ ok: false, message: character.repeat(70_000) });
		expect(Buffer.byteLength(line)).toBeLessThanOrEqual(longestReply);
		expect(parseReply(line)).toMatchObject({ ok: false });
	}
});

test("requests and replies are what they were sent as", () => {
	expect(parseRequest(JSON.stringify(request))).toEqual(request);
	expect(parseReply('{"ok":true,"message":"m"}')).toEqual({ ok: true, message: "m" });
	expect([parseReply("{}"), parseRequest("")]).toEqual([null, null]);
});
