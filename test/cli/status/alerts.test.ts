import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { formatListenAddress } from "../../../src/serve/http/address.ts";
import type { HttpServer } from "../../../src/serve/http/server.ts";
import { sampleAlert, sampleSource } from "../../report/sample.ts";
import { serve, until } from "../../serve/http/wire.ts";
import { CapturedIo, commands, Files, portward } from "../support/portward.ts";

const running: HttpServer[] = [];
afterEach(() => {
	for (const server of running.splice(0)) server.stop();
});

async function daemon(unixPath?: string) {
	const { source, sink } = sampleSource();
	let streams = 0;
	const counted = {
		...source,
		subscribe: (subscriber: Parameters<typeof source.subscribe>[0]) => {
			streams += 1;
			const leave = source.subscribe(subscriber);
			return () => {
				streams -= 1;
				leave();
			};
		},
	};
	const { server } = await (unixPath === undefined
		? serve(counted)
		: serve(counted, {}, { kind: "unix", path: unixPath }));
	running.push(server);
	const at = ["--config", "/dev/null", "--status-address", formatListenAddress(server.address)];
	return { sink, server, at, streams: () => streams };
}

const packet = (overrides: Partial<Alert>) =>
	sampleAlert({ EventData: { SourceIP: "192.0.2.7", Protocol: "ICMP" }, ...overrides });
const three = [
	packet({ PolicyName: "a", UpdatedTime: "1", Message: "" }),
	packet({ PolicyName: "b", UpdatedTime: "2", Action: "Block" }),
	packet({ PolicyName: "a", UpdatedTime: "3", Action: "Block" }),
];

describe("alerts", () => {
	test("oldest first, one line each", async () => {
		const { sink, at } = await daemon();
		sink.publish(three);
		expect(await portward("alerts", ...at)).toEqual({
			code: 0,
			error: "",
			out:
				"1 192.0.2.7 → icmp: passed, audited by a\n    portward explain ingress icmp 192.0.2.7\n" +
				"2 192.0.2.7 → icmp: blocked by b (m)\n    portward explain ingress icmp 192.0.2.7\n" +
				"3 192.0.2.7 → icmp: blocked by a (m)\n    portward explain ingress icmp 192.0.2.7\n",
		});
	});

	test("for a person, with spaces as they are and times to the millisecond", async () => {
		const { sink, at } = await daemon();
		const EventData = { Reason: "a test", Since: "now" };
		const UpdatedTime = "2026-01-02T03:04:05.678901Z";
		sink.publish([sampleAlert({ UpdatedTime, EventData, Operation: "System", Message: "It began" })]);
		const { out } = await portward("alerts", ...at);
		expect(out).toBe("2026-01-02T03:04:05.678Z It began (reason a test, since now)\n");
	});

	test("limited and filtered by the daemon; the newest ones count", async () => {
		const { sink, at } = await daemon();
		sink.publish(three);
		const times = async (...args: string[]) => {
			const { out } = await portward("alerts", ...args, ...at);
			return out
				.split("\n")
				.map((line) => line.slice(0, 1).trim())
				.join("");
		};
		expect(await times("--limit", "2")).toBe("23");
		expect(await times("--policy", "a")).toBe("13");
		expect(await times("--action", "block")).toBe("23");
		expect(await times("--action", "Block", "--policy", "a", "--limit=1")).toBe("3");
		expect(await times("--policy", "none")).toBe("");
		expect(await times("--policy", "a&limit=1")).toBe("");
	});

	test("--json is one object a line, whole, without raw controls", async () => {
		const { sink, at } = await daemon();
		const hostile = sampleAlert({ Message: "\x1b[2J\u202e\n\u009b" });
		sink.publish([hostile, sampleAlert()]);
		const { out } = await portward("alerts", "--json", ...at);
		expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
		expect(
			out
				.trimEnd()
				.split("\n")
				.map((line) => JSON.parse(line)),
		).toEqual([hostile, sampleAlert()]);
		expect((await portward("alerts", ...at)).out).toContain("(\\x1b[2J\\u{202e}\\n\\x9b)\n");
	});

	test.each([
		[["--limit", "0"], "--limit is a whole number"],
		[["--limit", "1e3"], "--limit is a whole number"],
		[["--limit", "1000001"], "--limit is a whole number"],
		[["--action", "blok"], "did you mean Block?"],
		[["--follow", "--limit", "5"], "--follow prints new alerts only"],
		[["all"], "is not expected here"],
	])("%p is 64", async (args, text) => {
		const { code, error } = await portward("alerts", ...args);
		expect(code).toBe(64);
		expect(error).toContain(text);
	});
});

describe("alerts --follow", () => {
	async function follow(unixPath?: string, ...args: string[]) {
		const started = await daemon(unixPath);
		const io = new CapturedIo();
		const ended = dispatch(commands, ["alerts", "--follow", ...args, ...started.at], io);
		await until(() => started.streams() === 1);
		return { ...started, io, ended };
	}

	test("prints what comes until the operator interrupts, which is no failure", async () => {
		const { sink, io, ended } = await follow();
		sink.publish(three.slice(0, 1));
		await until(() => io.out_.includes("1 192.0.2.7"));
		sink.publish(three.slice(1));
		await until(() => io.out_.includes("3 192.0.2.7"));
		io.interrupt();
		expect(await ended).toBe(0);
		expect(io.out_.split("\n")).toHaveLength(7);
		expect(io.error_).toBe("");
	});

	test("--json and filters hold for the stream", async () => {
		const { sink, io, ended } = await follow(undefined, "--json", "--policy", "a", "--action", "Block");
		sink.publish(three);
		await until(() => io.out_.endsWith("\n"));
		io.interrupt();
		expect(await ended).toBe(0);
		expect(JSON.parse(io.out_)).toEqual(three[2] ?? null);
	});

	test("that the daemon ends is a failure, and said", async () => {
		const { sink, server, io, ended } = await follow();
		sink.publish(three);
		await until(() => io.out_.includes("3 192.0.2.7"));
		server.stop();
		expect(await ended).toBe(1);
		expect(io.error_).toMatch(/^portward: the (daemon ended the stream|stream broke)/);
	});

	test("over a Unix socket; characters of several bytes come whole", async () => {
		using files = new Files();
		const { sink, io, ended } = await follow(join(files.path, "s.sock"));
		const message = "größer 漢字 ".repeat(2000);
		sink.publish([sampleAlert({ Message: message })]);
		await until(() => io.out_.endsWith("\n"));
		io.interrupt();
		expect(await ended).toBe(0);
		expect(io.out_).toContain(message.trim());
	});
});
