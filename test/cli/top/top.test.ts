import { afterEach, describe, expect, test } from "bun:test";
import type { Terminal } from "../../../src/cli/top/screen.ts";
import { runTop } from "../../../src/cli/top/top.ts";
import { type DaemonState, statusDocument } from "../../../src/report/status.ts";
import { sampleAlert, sampleState } from "../../report/sample.ts";
import { until } from "../../serve/http/wire.ts";
import { violations } from "../../support/json-schema.ts";
import { flowJson, historyText } from "../journey/support/flows.ts";
import { CapturedIo, Files, portward } from "../support/portward.ts";

const running: { stop(): void }[] = [];
afterEach(() => {
	for (const server of running.splice(0)) server.stop();
});

/** Answers as a daemon does whose one rule decides ten packets more at each look. */
function daemon(path: string, answers = new Map<string, () => Response>()) {
	let packets = 0;
	const state = (): DaemonState => {
		packets += 10;
		const use = { policy: "np1", direction: "ingress", index: 0, action: "Block", packets } as const;
		return sampleState({}, { network: { ruleUses: [{ ...use, since: 0, lastMatch: Date.now() }] } });
	};
	const known = new Map<string, () => Response>([
		["/v1/status", () => Response.json(statusDocument(state()))],
		["/v1/alerts", () => Response.json({ alerts: [sampleAlert({ Action: "Block" })] })],
		["/v1/flows", () => new Response(historyText([{ ...flowJson, remote: "192.0.2.77" }]))],
		...answers,
	]);
	const server = Bun.serve({
		unix: path,
		fetch: (request) => known.get(new URL(request.url).pathname)?.() ?? new Response("", { status: 404 }),
	});
	running.push({ stop: () => void server.stop(true) });
	return ["--config", "/dev/null", "--status-address", `unix:${path}`, "--interval", "1"];
}

describe("without a terminal", () => {
	test("--once prints a screen", async () => {
		using files = new Files();
		const { code, out } = await portward("top", "--once", ...daemon(`${files.path}/s.sock`));
		expect(code).toBe(0);
		expect(out).toMatch(/^ {2} *[\d.]+ {6}20 +\S+ {2}Block {3}np1 ingress\[0\]$/mu);
		expect(out).toContain("  192.0.2.77\n");
		expect(out).toContain("  192.0.2.7 → what cannot be read: blocked by np1\n");
	});

	test("--json prints a document", async () => {
		using files = new Files();
		const { code, out } = await portward("top", "--json", ...daemon(`${files.path}/s.sock`));
		const document: unknown = JSON.parse(out);
		expect([code, violations(document, "top")]).toEqual([0, []]);
		expect(document).toMatchObject({ rules: [{ packets: 20 }], talkers: [{ remote: "192.0.2.77" }] });
	});

	test.each([
		[[], "needs a terminal"],
		[["--interval", "0"], "--interval is a whole number"],
		[["--sort", "size"], "--sort is one of rate"],
		[["now"], "is not expected here"],
	])("%j is wrong usage", async (args, text) => {
		const io = new CapturedIo();
		const found = runTop(args, io, () => null);
		expect(found).rejects.toThrow(text);
		await found.catch(() => {});
	});

	test("a daemon that answers something else is a sentence", async () => {
		using files = new Files();
		const other = new Map([["/v1/status", () => Response.json({})]]);
		const { code, error } = await portward("top", "--once", ...daemon(`${files.path}/s.sock`, other));
		expect([code, error]).toEqual([1, expect.stringContaining("sent no status")]);
	});

	test("flows and alerts that cannot be had leave the rest", async () => {
		using files = new Files();
		const refused = () => new Response("no", { status: 500 });
		const other = new Map([
			["/v1/flows", refused],
			["/v1/alerts", refused],
		]);
		const { code, out } = await portward("top", "--json", ...daemon(`${files.path}/s.sock`, other));
		expect([code, JSON.parse(out)]).toMatchObject([0, { talkers: null, blocked: [], rules: [{}] }]);
	});
});

/** A terminal whose keys the test presses. */
class Keyboard implements Terminal {
	written = "";
	raw: boolean[] = [];
	readonly size = { columns: 80, rows: 24 };
	#take: ((bytes: Uint8Array) => void) | null = null;
	readonly keyboard = {
		setRawMode: (raw: boolean) => this.raw.push(raw),
		on: (_: "data", take: (bytes: Uint8Array) => void) => {
			this.#take = take;
		},
		off: () => {
			this.#take = null;
		},
		pause: () => {},
	};
	readonly write = (text: string) => {
		this.written += text;
	};
	press(keys: string): void {
		this.#take?.(Buffer.from(keys));
	}
}

describe("with a terminal", () => {
	function started(at: readonly string[]) {
		const io = new CapturedIo();
		const terminal = new Keyboard();
		return { io, terminal, ended: runTop(at, io, () => terminal) };
	}
	const restored = "\x1b[?25h\x1b[?1049l";

	test("it draws again and again, sorts by s, and q gives the terminal back", async () => {
		using files = new Files();
		const { io, terminal, ended } = started(daemon(`${files.path}/s.sock`));
		await until(() => terminal.written.split("portward on vm1").length > 2, 30_000);
		terminal.press("xs");
		expect(terminal.written).toContain("by packets");
		terminal.press("ss");
		expect(terminal.written.slice(terminal.written.lastIndexOf("\x1b[H"))).toContain("by rate");
		terminal.press("q");
		expect(await ended).toBe(0);
		expect(terminal.written).toEndWith(restored);
		expect([terminal.raw, io.out_, io.error_]).toEqual([[true, false], "", ""]);
	});

	test.each([["Ctrl-C as a key", "\x03"]])("%s ends it", async (_, key) => {
		using files = new Files();
		const { terminal, ended } = started(daemon(`${files.path}/s.sock`));
		await until(() => terminal.written.includes("vm1"), 30_000);
		terminal.press(key);
		expect(await ended).toBe(0);
		expect(terminal.written).toEndWith(restored);
	});

	test("a signal ends it, and the terminal is given back", async () => {
		using files = new Files();
		const { io, terminal, ended } = started(daemon(`${files.path}/s.sock`));
		await until(() => terminal.written.includes("vm1"), 30_000);
		io.interrupt();
		expect(await ended).toBe(0);
		expect(terminal.written).toEndWith(restored);
	});

	test("that the daemon ends is said once the terminal is given back", async () => {
		using files = new Files();
		const { io, terminal, ended } = started(daemon(`${files.path}/s.sock`));
		await until(() => terminal.written.includes("vm1"), 30_000);
		for (const server of running.splice(0)) server.stop();
		expect(await ended).toBe(1);
		expect(terminal.written).toEndWith(restored);
		expect(io.error_).toContain("no daemon answers");
	});
});
