/** While the daemon loads 100 000 CIDRs, and while clients sit on its sockets, it answers and stops in time. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

let lab: Lab;

beforeAll(async () => {
	lab = await Lab.create();
});
afterAll(() => lab[Symbol.dispose]());

/** 100 000 blocked addresses, no two beside each other. */
const large = policy("large", {
	action: "Block",
	ingress: [
		{
			from: Array.from({ length: 100_000 }, (_, index) =>
				block(`11.${(index >> 15) & 255}.${(index >> 7) & 255}.${(index << 1) & 255}/32`),
			),
		},
	],
});

/** Asks for a path again and again until `done`; milliseconds that each answer took, in order of size. */
async function delays(daemon: Daemon, path: string, done: () => boolean): Promise<number[]> {
	const found: number[] = [];
	while (!done()) {
		const start = performance.now();
		expect((await daemon.get(path)).status).toBe(200);
		found.push(performance.now() - start);
		await Bun.sleep(5);
	}
	return found.sort((a, b) => a - b);
}

const percentile = (sorted: readonly number[], share: number) =>
	sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Clients that never end their requests, read their answers, or say anything. */
async function stuckClients(path: string) {
	const idle = { data() {}, close() {}, error() {} };
	const connect = (count: number) =>
		Promise.all(Array.from({ length: count }, () => Bun.connect({ unix: path, socket: idle })));
	const half = await connect(30);
	for (const socket of half) socket.write("GET /v1/status HTTP/1.1\r\nHost: loc");
	const silent = await connect(10);
	const streams = await connect(10);
	for (const socket of streams) {
		socket.pause();
		socket.write("GET /v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	const all = [...half, ...silent, ...streams];
	return { count: all.length, end: () => all.forEach((socket) => void socket.terminate()) };
}

test("the daemon answers within 50 ms while it loads 100 000 CIDRs and clients hold on to its sockets", async () => {
	await using daemon = await Daemon.start(lab.guarded);
	const clients = await stuckClients(daemon.home.socket);
	let done = false;
	const asked = ["/healthz", "/readyz", "/metrics", "/v1/status"].map((path) =>
		delays(daemon, path, () => done),
	);
	const before = await daemon.reloads();
	writeFileSync(join(daemon.home.policies, "large.json"), large);
	await eventually("the load", async () => (await daemon.reloads()) > before, 30_000);
	done = true;
	const [health = []] = await Promise.all(asked);
	expect(health.length).toBeGreaterThan(100);
	// Both cores are busy with the load, and the rest of the machine may be too.
	expect(percentile(health, 0.95)).toBeLessThan(50);
	for (const sorted of await Promise.all(asked)) expect(percentile(sorted, 0.9)).toBeLessThan(50);
	expect((await daemon.status()).enforcers.network.elements).toBeGreaterThanOrEqual(100_000);
	using prober = new Prober(lab);
	const from = (remote: string) => ({ direction: "ingress", protocol: "tcp", remote, port: 80 }) as const;
	expect(await prober.send([from("11.0.0.0"), from("11.3.13.62"), from("11.0.0.1")])).toEqual([
		false,
		false,
		true,
	]);
	clients.end();
});

test.each([50, 900])(
	"SIGTERM %d ms into a load of 100 000 CIDRs ends the process within 2 s",
	async (after) => {
		await using daemon = await Daemon.start(lab.guarded);
		const clients = await stuckClients(daemon.home.socket);
		writeFileSync(join(daemon.home.policies, "large.json"), large);
		await Bun.sleep(after);
		const start = performance.now();
		expect(await daemon.stop()).toBe(0);
		const took = performance.now() - start;
		expect(took).toBeLessThan(2000);
		clients.end();
	},
);
