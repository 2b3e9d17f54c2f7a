import { expect, test } from "bun:test";
import net from "node:net";
import { join } from "node:path";
import { get } from "../../../src/cli/status/client.ts";
import { connectionError, reach } from "../../../src/cli/status/reach.ts";
import { Files } from "../support/portward.ts";

const signal = () => new AbortController().signal;

test("who listens is reached; where nobody does it is said so", async () => {
	using files = new Files();
	const server = net.createServer().listen(0, "127.0.0.1");
	await new Promise((resolve) => server.on("listening", resolve));
	const address = server.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	expect(await reach(`127.0.0.1:${port}`, signal())).toEqual({ ok: true });
	server.close();
	expect(await reach("127.0.0.1:1", signal())).toMatchObject({
		kind: "refused",
		message: "nobody listens there",
	});
	expect(await reach(`unix:${join(files.path, "none")}`, signal())).toMatchObject({ kind: "refused" });
	expect(await reach(`unix:${files.put("file", "")}`, signal())).toMatchObject({ kind: "refused" });
});

test("an interrupt ends the wait", async () => {
	const stop = new AbortController();
	const reached = reach("192.0.2.1:9", stop.signal);
	stop.abort();
	expect(await reached).toMatchObject({ ok: false });
});

test("errors are in our own words", () => {
	expect(connectionError(Object.assign(new Error("x"), { code: "ECONNREFUSED" }))).toBe(
		"nobody listens there",
	);
	expect(connectionError(new Error("Unable to connect. Is the computer able to access the url?"))).toBe(
		"Unable to connect.",
	);
	expect(connectionError("odd")).toBe("odd");
});

test("an answer that is cut in the middle is a sentence; one without an end is given as it comes", async () => {
	using files = new Files();
	const path = join(files.path, "cut.sock");
	const server = net.createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", () => {
			socket.end(
				'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"flows": [',
			);
		});
	});
	try {
		await new Promise<void>((resolve) => server.listen(path, resolve));
		const target = { address: `unix:${path}`, cert: null, token: null };
		const cut = await get(target, "/v1/flows", signal());
		expect(cut).toMatchObject({ ok: false, message: expect.stringContaining("no daemon answers") });
		expect(await get(target, "/v1/alerts", signal(), { endless: true })).toMatchObject({ ok: true });
	} finally {
		server.close();
	}
});
