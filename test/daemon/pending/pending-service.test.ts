/** The state machine itself is shown in test/daemon/pending/pending-changes.test.ts. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { PendingService } from "../../../src/daemon/pending/pending-service.ts";
import type { Alert } from "../../../src/report/alert.ts";
import type { LogFields } from "../../../src/report/log.ts";
import { policy, port } from "../../system/support/case.ts";
import { eventually } from "../../system/support/netns.ts";

let root: string;
let service: PendingService;
let config: Config;
const logged: { level: string; message: string; fields: LogFields }[] = [];
const alerts: Alert[] = [];
let enforced: string[];
let settled: unknown[];
let obstacle: string | null;

const note =
	(level: string) =>
	(message: string, fields: LogFields = {}) =>
		void logged.push({ level, message, fields });
const blocking = (name: string) => policy(name, { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] });
const peer = { pid: process.pid, uid: 0, gid: 0 };

beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-pending-service."));
	for (const name of ["policies", "state", "new"]) mkdirSync(join(root, name));
	writeFileSync(join(root, "policies/old.yaml"), blocking("old"));
	writeFileSync(join(root, "new/new.yaml"), blocking("new"));
	config = { ...defaultConfig(), policyDir: join(root, "policies"), stateDir: join(root, "state") };
	[logged.length, alerts.length, enforced, settled, obstacle] = [0, 0, [], [], null];
	service = new PendingService({
		settings: () => ({
			directory: config.policyDir,
			stateDirectory: config.stateDir,
			checkPermissions: true,
			hostname: "h",
			config,
		}),
		createWorker: () => new Worker(new URL("../../../src/daemon/policy.worker.ts", import.meta.url)),
		enforce: async () => {
			enforced.push(readdirSync(service.settings.directory).sort().join());
			return "";
		},
		obstacle: () => obstacle,
		settled: (result, change, how) => void settled.push([result, change?.id ?? null, how]),
		sink: { publish: (published) => void alerts.push(...published) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		log: { info: note("info"), warn: note("warn"), error: note("error") },
	});
});
afterEach(() => {
	service.changes.stop();
	rmSync(root, { recursive: true });
});

async function begin(): Promise<void> {
	await service.changes.start();
	await service.changes.changed(true);
	await service.changes.enforced();
}

const fresh = () => join(root, "new");
const apply = (seconds: number | null = 60) =>
	service.verbs.apply({ verb: "apply", directory: fresh(), from: fresh(), seconds, session: null }, peer);

test("a change that is applied and confirmed is in force from its own copy, logged, alerted and counted", async () => {
	await begin();
	expect(await apply()).toMatchObject({ ok: true });
	expect(enforced.at(-1)).toBe("new.yaml");
	expect(service.settings.directory).not.toBe(config.policyDir);
	const { id = "" } = service.changes.state ?? {};
	expect(logged.at(-1)).toMatchObject({ level: "warn", fields: { change: id, from: fresh(), uid: "0" } });
	expect(alerts.at(-1)).toMatchObject({ Type: "SystemEvent", EventData: { Change: id, From: fresh() } });
	expect(service.counts).toEqual({ confirmed: 0, rolled_back: 0, refused: 0 });
	expect(
		await service.verbs.confirm({ verb: "confirm", id, sameSession: false, session: null }, peer),
	).toMatchObject({ ok: true });
	expect(readdirSync(config.policyDir)).toEqual(["new.yaml"]);
	expect(service.settings.directory).toBe(config.policyDir);
	expect(service.counts).toEqual({ confirmed: 1, rolled_back: 0, refused: 0 });
	expect(logged.at(-1)).toMatchObject({ level: "info" });
	expect(settled).toEqual([["confirmed", id, expect.stringContaining(`process ${process.pid} of user 0`)]]);
});

test("one that is rolled back is an error in the log, and nothing of it is left", async () => {
	await begin();
	await apply();
	expect(await service.verbs.rollback({ verb: "rollback", id: null }, peer)).toMatchObject({ ok: true });
	expect(enforced.at(-1)).toBe("old.yaml");
	expect(service.counts).toEqual({ confirmed: 0, rolled_back: 1, refused: 0 });
	expect(logged.at(-1)?.level).toBe("error");
	expect(settled).toEqual([["rolled_back", expect.any(String), expect.stringContaining("asked for by")]]);
	expect(existsSync(join(config.stateDir, "pending.json"))).toBe(false);
});

test("one that nobody confirms rolls back by the clock", async () => {
	await begin();
	await apply(1);
	await eventually("the end of its time", () => service.counts.rolled_back === 1);
	expect(enforced.at(-1)).toBe("old.yaml");
	expect(alerts.at(-1)?.EventData).toMatchObject({ From: fresh() });
});

test("one that is broken is refused, with its place, and changes nothing", async () => {
	await begin();
	writeFileSync(join(fresh(), "bad.yaml"), blocking("x").replace("TCP", "TPC"));
	const before = enforced.length;
	expect(await apply()).toMatchObject({
		ok: false,
		message: expect.stringContaining(`${fresh()}/bad.yaml:1:`),
	});
	expect([enforced.length, service.changes.state]).toEqual([before, null]);
});

test("while something stands in the way none is taken, which is alerted and counted", async () => {
	await begin();
	obstacle = "portward is in panic-open";
	expect(await apply()).toMatchObject({ ok: false, message: expect.stringContaining("panic-open") });
	expect(service.counts).toEqual({ confirmed: 0, rolled_back: 0, refused: 1 });
	expect(logged.at(-1)).toMatchObject({ level: "error", fields: { reason: "portward is in panic-open" } });
	expect(alerts.at(-1)).toMatchObject({ Type: "SystemEvent" });
});
