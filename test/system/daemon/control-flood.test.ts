/** A flood on the control socket: the daemon enforces and answers, and root's own request gets through. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { control } from "../../../src/cli/change/control-client.ts";
import {
	type ControlRequest,
	controlPath,
	longestRequest,
} from "../../../src/serve/control/control-protocol.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Lab, spawnBound } from "../support/netns.ts";
import { connects } from "../support/traffic.ts";

let lab: Lab;
let home: Home;
beforeEach(async () => {
	lab = await Lab.create();
	home = new Home();
	chmodSync(home.path, 0o755);
	mkdirSync(join(home.path, "fresh"));
	writeFileSync(
		join(home.path, "fresh/shut.yaml"),
		policy("shut", { action: "Block", ingress: [{ ports: [port("TCP", 7001)] }] }),
	);
});
afterEach(() => {
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

/** What each connection of a flood does, as a body that has `path` and opens them again as they end. */
const floods = {
	idle: "open(s) {}, data() {}",
	slow: 'open(s) { s.t = setInterval(() => s.write(" "), 50); }, data() {}, closing(s) { clearInterval(s.t); }',
	huge: `open(s) { s.write(chunk); }, drain(s) { s.write(chunk); }, data() {}`,
	wrong: 'open(s) { s.write("{}\\\\n"); }, data() {}',
} as const;

/** A process that keeps `count` connections of a kind at the socket until it is killed, and counts those it made. */
function flood(kind: keyof typeof floods, path: string, count: number) {
	const script = `
		const path = ${JSON.stringify(path)};
		const chunk = Buffer.alloc(${4 * longestRequest}, 120);
		let made = 0;
		const one = async () => {
			for (;;) {
				const { promise, resolve } = Promise.withResolvers();
				const hooks = { closing() {}, ${floods[kind].replaceAll("\\\\n", "\\n")} };
				try {
					await Bun.connect({ unix: path, socket: { ...hooks, close(s) { hooks.closing(s); resolve(); }, error() {} } });
					made += 1;
					await promise;
				} catch {
					await Bun.sleep(1);
				}
			}
		};
		for (let i = 0; i < ${count}; i++) void one();
		setInterval(() => console.log(made), 100);
	`;
	const child = spawnBound([process.execPath, "-e", script]);
	return { kill: () => child.kill("SIGKILL"), output: child.stdout };
}

const permission: ControlRequest = { verb: "usb-allow", port: "1-4", seconds: 60 };

test("idle, slow, huge and wrong connections by the hundred keep neither root nor packets nor status waiting", async () => {
	await using daemon = await Daemon.start(lab.guarded, {}, home);
	const path = controlPath(home.state);
	const kinds = ["idle", "slow", "huge", "wrong"] as const;
	const running = kinds.map((kind) => flood(kind, path, 150));
	try {
		await Bun.sleep(1500);
		const link = lab.links[0];
		if (link === undefined) throw new Error("a lab without links");
		let slowestReply = 0;
		let slowestStatus = 0;
		for (let round = 0; round < 10; round++) {
			const asked = performance.now();
			expect(await control(path, permission)).toEqual({
				ok: false,
				message: "there is no device on port 1-4",
			});
			slowestReply = Math.max(slowestReply, performance.now() - asked);
			const looked = performance.now();
			expect((await daemon.get("/readyz")).status).toBe(200);
			slowestStatus = Math.max(slowestStatus, performance.now() - looked);
		}
		expect(slowestReply).toBeLessThan(3000);
		expect(slowestStatus).toBeLessThan(2000);
		// A change that is asked for in the middle of it is enforced, and settled.
		const directory = join(home.path, "fresh");
		const request = { verb: "apply", directory, from: directory, seconds: 600, session: null } as const;
		expect(await control(path, request)).toMatchObject({ ok: true });
		expect(await connects(lab.peer, lab.guarded, link.local4, 7001)).toBe(false);
		expect(await control(path, { verb: "rollback", id: null })).toMatchObject({ ok: true });
		expect(await connects(lab.peer, lab.guarded, link.local4, 7001)).toBe(true);
		for (const { output } of running) {
			// Each of them really had connections: it is no flood that never came.
			const { value } = await output.getReader().read();
			expect(Number(new TextDecoder().decode(value).trim().split("\n").at(-1))).toBeGreaterThan(20);
		}
	} finally {
		for (const { kill } of running) kill();
	}
	const metrics = await daemon.metrics();
	expect(metrics.get("process_open_fds") ?? Number.POSITIVE_INFINITY).toBeLessThan(900);
});
