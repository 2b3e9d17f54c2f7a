import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { get } from "../../../src/cli/status/client.ts";
import type { DaemonState } from "../../../src/report/status.ts";
import { formatListenAddress } from "../../../src/serve/http/address.ts";
import type { HttpServer } from "../../../src/serve/http/server.ts";
import { sampleSource, sampleState } from "../../report/sample.ts";
import { serve } from "../../serve/http/wire.ts";
import { Files, portward } from "../support/portward.ts";

const running: { stop(force?: boolean): unknown }[] = [];
afterEach(() => {
	for (const server of running.splice(0)) server.stop(true);
});

async function daemon(...args: Parameters<typeof serve>): Promise<HttpServer> {
	const { server } = await serve(...args);
	running.push(server);
	return server;
}

/** Something else that speaks HTTP. */
function stranger(answer: () => Response): string {
	const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
	running.push(server);
	return `127.0.0.1:${server.port}`;
}

const noSettings = ["--config", "/dev/null"];

describe("status", () => {
	test("says what is enforced, for people", async () => {
		const server = await daemon();
		const address = formatListenAddress(server.address);
		const { code, out, error } = await portward("status", ...noSettings, "--status-address", address);
		expect([code, error]).toEqual([0, ""]);
		expect(out).toBe(
			"portward 0.2.0 on vm1: enforced: what is on disk\n" +
				"network: active\n" +
				"ingress: allow-list, the rest is dropped (0 packets)\n" +
				"egress: what no rule matches passes\n" +
				"posture: block; essentials: always accepted\n" +
				"failsafe ingress[0] TCP 22 from 192.0.2.0/24: 9 packets\n" +
				"limit of ssh ingress[0] rateLimit 10/minute (burst 5) from each source (IPv6: each /64): 17 packets beyond it, and 2 of sources without room\n" +
				"limit of ssh ingress[0] connectionLimit 20 open connections for the whole rule: 4 packets beyond it\n" +
				"quota of uploads egress[0]: 2,097,152 bytes of 2MB used, until 2026-01-01T00:20:00.000Z; it is used up, and blocked 4 packets (6,000 bytes)\n" +
				"ingress: inet firewalld filter_INPUT (firewalld; input, priority 10, policy accept) also decides\n" +
				"guests: audit: what policies would block is alerted and passes; 12 packets would have been blocked\n" +
				"    bridge docker0 (172.17.0.0/16), 3 guests\n" +
				"    vmbr0 leads to other hosts: eth0 is a port of it\n" +
				"    published tcp 0.0.0.0:15432 -> 172.17.0.2:5433 (Docker\\x1b[31m <b>): open to 10.0.1.0/24; closed to the rest by DefaultPosture (audit: nothing is dropped yet)\n" +
				"    and 2 more published ports\n" +
				"packets that belong to no flow: 6 ingress, 0 egress\n" +
				"flows: 812 known, 3 new, 2 merged, 1 lost\n" +
				"usb: active\n" +
				"USB devices come up refused until they are judged\n" +
				"the daemon itself runs no other program, loads no module, mounts nothing; writes only below /etc/portward, /var/lib/portward\n" +
				"np1: enforced, Block, 7 packets (/etc/portward/policies/a.yaml:1)\n",
		);
	});

	test("says first of all that panic-open stands, in words that no terminal obeys", async () => {
		const panic = { since: "2026-01-02T03:04:05.000Z", reason: "drill\u001b[2J" };
		const server = await daemon(sampleSource(() => sampleState({ panic })).source);
		const address = formatListenAddress(server.address);
		const { out } = await portward("status", ...noSettings, "--status-address", address);
		expect(out).toStartWith("OPEN: ");
		expect(out.split("\n")[0]).toEndWith("2026-01-02T03:04:05.000Z: drill\\x1b[2J");
	});

	test("says which signed policies are taken, and when they are refused", async () => {
		const said = async (ok: boolean, serial: number | null) => {
			const signature = ok
				? { ok, serial, problem: null, remedy: "", standing: null }
				: { ok, serial, problem: "why", remedy: "do", standing: "signed" as const };
			const server = await daemon(sampleSource(() => sampleState({ signature })).source);
			const address = formatListenAddress(server.address);
			return (await portward("status", ...noSettings, "--status-address", address)).out;
		};
		expect(await said(true, 7)).toContain("policies: signed, serial 7\n");
		expect(await said(false, 6)).toContain(
			"policies: refused; in force is what was signed before, serial 6\n",
		);
		expect(await said(false, null)).toContain("policies: refused; in force is what was signed before\n");
	});

	test("shows drift, warnings, and each policy's findings; escapes them", async () => {
		const place = { file: "/p/a.yaml", line: 1, column: 1, path: "" };
		const finding = { ...place, severity: "warning", code: "c", message: "odd\x1b[2J\n", hint: "" } as const;
		const common = { kind: "KubeArmorNetworkPolicy", file: "/p/a.yaml", line: 1, action: null } as const;
		const over: Partial<DaemonState> = {
			warnings: ["forwarded\u202e"],
			policies: [
				{ ...common, name: "", selected: true, enforced: false, diagnostics: [finding] },
				{ ...common, name: "far", selected: false, enforced: false, diagnostics: [] },
				{
					...common,
					name: "unread",
					selected: false,
					enforced: false,
					diagnostics: [{ ...finding, severity: "error" }],
				},
				{
					...common,
					kind: "KubeArmorHostPolicy",
					name: "usb",
					selected: true,
					enforced: true,
					diagnostics: [],
				},
			],
		};
		const state = sampleState(over, { network: { drift: 2 } });
		const server = await daemon(sampleSource(() => state).source);
		const address = formatListenAddress(server.address);
		const { out } = await portward("status", ...noSettings, "--status-address", address);
		expect(out).toContain("changes by others that were undone: 2\n");
		expect(out).toContain("usb: enforced, no action (/p/a.yaml:1)\n");
		expect(out).toContain("warning: forwarded\\u{202e}\n");
		expect(out).toContain(
			"(no name): not enforced, no action, 0 packets (/p/a.yaml:1)\n    warning: odd\\x1b[2J\\n\n",
		);
		expect(out).toContain("far: not for this host");
		expect(out).toContain("unread: not enforced");
	});

	test("--json is the daemon's document, without raw controls", async () => {
		const state = sampleState({ warnings: ["\x1b\u202e\u009b"] });
		const server = await daemon(sampleSource(() => state).source);
		const address = formatListenAddress(server.address);
		const { code, out } = await portward("status", "--json", ...noSettings, "--status-address", address);
		expect(code).toBe(0);
		expect(out).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
		expect(JSON.parse(out)).toMatchObject({
			version: "0.2.0",
			warnings: ["\x1b\u202e\u009b"],
			enforcers: { network: { state: "active", generation: 3 } },
			policies: [{ name: "np1", packets: 7, bytes: 420 }],
		});
	});

	test("over a Unix socket, named in the settings", async () => {
		using files = new Files();
		const path = join(files.path, "status.sock");
		await daemon(undefined, {}, { kind: "unix", path });
		const config = files.config({ status: { address: `unix:${path}` } });
		const { code, out } = await portward("status", "--config", config);
		expect(code).toBe(0);
		expect(out).toStartWith("portward 0.2.0 on vm1");
	});
});

describe("failures are 1 and say what to look at", () => {
	test.each([["status"], ["alerts"]])("%s: nobody listens", async (command) => {
		using files = new Files();
		for (const address of [`unix:${files.path}/none.sock`, "127.0.0.1:1"]) {
			const { code, out, error } = await portward(command, ...noSettings, "--status-address", address);
			expect([code, out]).toEqual([1, ""]);
			expect(error).toContain(`no daemon answers at ${address}`);
			expect(error).toContain("is portward running");
		}
	});

	test.each([
		["status", "no JSON", () => new Response("hello")],
		["status", "other JSON", () => Response.json({ status: "ok" })],
		["status", "an error", () => new Response("\x1b[2J", { status: 500 })],
		["alerts", "no JSON", () => new Response("hello")],
		["alerts", "other JSON", () => Response.json([])],
		["alerts --follow", "no stream", () => Response.json({ alerts: [] })],
		["alerts --follow", "no body", () => new Response(null, { status: 204 })],
	])("%s: what listens sends %s", async (command, _what, answer) => {
		const address = stranger(answer);
		const { code, out, error } = await portward(
			...command.split(" "),
			...noSettings,
			"--status-address",
			address,
		);
		expect([code, out]).toEqual([1, ""]);
		expect(error).toMatch(/^portward: what .*\n$/);
		expect(error).not.toContain("\x1b");
	});

	test("a refusal of the daemon is passed on with its remedy", async () => {
		const server = await daemon();
		const address = formatListenAddress(server.address);
		const refused = await get(
			{ address, cert: null, token: null },
			"/v1/alerts?limit=0",
			new AbortController().signal,
		);
		expect(refused).toEqual({
			ok: false,
			message: `what listens at ${address} answered 400: limit is not a whole number from 1 to 1000000; write limit=100`,
		});
	});

	test("wrong usage is 64", async () => {
		for (const args of [
			["status", "now"],
			["status", "--jsn"],
			["status", "--status-address", "nowhere"],
		]) {
			expect((await portward(...args, ...noSettings)).code).toBe(64);
		}
	});

	test("broken settings are told with their place", async () => {
		using files = new Files();
		const config = files.put(".config", "status: 7\n");
		const { code, error } = await portward("status", "--config", config);
		expect(code).toBe(1);
		expect(error).toContain(`${config}:1:`);
	});
});
