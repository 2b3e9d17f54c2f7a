import { afterEach, expect, test } from "bun:test";
import { StatusServer } from "../../src/daemon/status-server.ts";
import { AlertRing } from "../../src/report/alert-ring.ts";
import type { HttpSource } from "../../src/report/http/routes.ts";
import type { Logger } from "../../src/report/log.ts";
import { until } from "../system/support/isolated.ts";

const stops: (() => void)[] = [];
afterEach(() => {
	for (const stop of stops.splice(0)) stop();
});

const source: HttpSource = {
	refresh: async () => {},
	state: () => {
		throw new Error("not asked for");
	},
	metrics: () => "",
	usbDevices: () => [],
	alerts: new AlertRing(1),
	subscribe: () => () => {},
};

function open(address: string) {
	const lines: string[] = [];
	const write = (message: string) => void lines.push(message);
	const log: Logger = { info: write, warn: write, error: write };
	const server = new StatusServer({ address, hostname: "h", source, log, retryMs: 5 });
	stops.push(() => server.stop());
	return { server, lines };
}

/** A port that is held until the returned function is called. */
function hold(): { port: number; release: () => void } {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	stops.push(() => listener.stop(true));
	return { port: listener.port, release: () => listener.stop(true) };
}

test("whoever holds the address delays the status, once said, and nothing else", async () => {
	const held = hold();
	const { server, lines } = open(`127.0.0.1:${held.port}`);
	await server.start();
	expect(server.address).toBeNull();
	await Bun.sleep(30);
	expect(lines).toEqual(["nobody can read the status; enforcement goes on"]);
	held.release();
	await until(() => server.address !== null, "it listens once the address is free");
	const answer = await fetch(`http://127.0.0.1:${held.port}/healthz`);
	expect(answer.status).toBe(200);
});

test("an address that others can reach is a warning, one that they cannot is none", () => {
	expect(open("0.0.0.0:1").server.warnings[0]).toContain("can be read by other hosts");
	expect(open("[2001:db8::1]:1").server.warnings).toHaveLength(1);
	for (const address of ["127.0.0.1:1", "[::1]:1", "unix:/run/p.sock"]) {
		expect(open(address).server.warnings).toEqual([]);
	}
});
