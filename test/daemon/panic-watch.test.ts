import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { panicVerbs } from "../../src/daemon/panic-verbs.ts";
import { PanicWatch, panicReadiness } from "../../src/daemon/panic-watch.ts";
import type { Alert } from "../../src/report/alert.ts";
import type { Logger } from "../../src/report/log.ts";
import { clearPanic, panicPath, writePanic } from "../../src/state/panic.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-watch-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function setUp(remindMs?: number) {
	const alerts: Alert[] = [];
	const lines: string[] = [];
	const note = (message: string) => {
		lines.push(message);
	};
	const log: Logger = { info: note, warn: note, error: note };
	let changes = 0;
	const watch = new PanicWatch({
		stateDirectory: directory,
		table: "kubearmor",
		sink: { publish: (more) => void alerts.push(...more) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		log,
		changed: () => {
			changes += 1;
		},
		pollMs: 5,
		...(remindMs === undefined ? {} : { remindMs }),
	});
	return { watch, alerts, lines, changes: () => changes };
}

async function until(condition: () => boolean): Promise<void> {
	const deadline = performance.now() + 60_000;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error("waited in vain");
		await Bun.sleep(2);
	}
}

describe("the watch over the record of panic-open", () => {
	test("alerts once at the opening and once at the end, however often it looks", () => {
		const { watch, alerts } = setUp();
		expect(watch.check()).toBeNull();
		expect(watch.reason()).toBeNull();
		writePanic(directory, "drill \u001b[2J", Date.UTC(2026, 0, 2));
		for (let look = 0; look < 3; look++) {
			expect(watch.check()).toEqual({ since: "2026-01-02T00:00:00.000Z", reason: "drill  [2J" });
		}
		expect(watch.reason()).toBe("panic-open since 2026-01-02T00:00:00.000Z: drill  [2J");
		expect(panicReadiness(watch.state)).toMatchObject({
			ready: false,
			body: expect.stringContaining("drill"),
		});
		clearPanic(directory);
		for (let look = 0; look < 3; look++) expect(watch.check()).toBeNull();
		expect(panicReadiness(watch.state)).toBeNull();
		expect(alerts.map(({ Severity, Type, Tags }) => [Severity, Type, Tags])).toEqual([
			["10", "SystemEvent", "PANIC"],
			["5", "SystemEvent", "PANIC"],
		]);
		expect(alerts[0]?.EventData).toEqual({ Reason: "drill  [2J", Since: "2026-01-02T00:00:00.000Z" });
	});

	test("sees by itself what nobody told it, and reminds of it while it lasts", async () => {
		const { watch, lines, changes } = setUp(10);
		watch.start();
		expect(changes()).toBe(0);
		writePanic(directory, "drill", 1);
		await until(() => changes() === 1);
		await until(() => lines.filter((line) => line.includes("still open")).length >= 2);
		clearPanic(directory);
		await until(() => changes() === 2);
		expect(watch.state).toBeNull();
		watch.stop();
		writePanic(directory, "drill", 1);
		await Bun.sleep(30);
		expect(changes()).toBe(2);
	});

	test("an event tells of the record where looks are far apart", async () => {
		const { watch, changes } = setUp(3_600_000);
		watch.start();
		writePanic(directory, "drill", 1);
		await until(() => changes() === 1);
		clearPanic(directory);
		await until(() => changes() === 2);
		watch.stop();
	});

	test("changes by others are undone while it does not stand, and only told while it does", () => {
		const { watch, lines } = setUp();
		const event = { time: 0, generation: 9, pid: 7, process: "nft", changes: ["delrule"] } as const;
		expect(watch.drifted(event)).toBe(false);
		expect(lines).toEqual([]);
		writePanic(directory, "drill", 1);
		expect(watch.drifted(event)).toBe(true);
		expect(lines.at(-1)).toContain("somebody else");
	});

	test("what was there at the start changes nothing", async () => {
		const { watch, alerts, changes } = setUp();
		writePanic(directory, "drill", 1);
		watch.start();
		await Bun.sleep(30);
		watch.stop();
		expect(changes()).toBe(0);
		expect(alerts).toHaveLength(1);
	});

	test("a record that gets damaged neither closes the table nor goes unsaid, and is said once", () => {
		const { watch, lines } = setUp();
		writePanic(directory, "drill", 1);
		watch.check();
		writeFileSync(panicPath(directory), "garbage");
		for (let look = 0; look < 3; look++) expect(watch.check()).not.toBeNull();
		expect(lines.filter((line) => line.includes("damaged"))).toHaveLength(1);
	});

	test("where nobody can tell, the last answer holds, be it open or not", () => {
		const { watch, lines } = setUp();
		const moved = `${directory}.moved`;
		const hide = () => {
			renameSync(directory, moved);
			writeFileSync(directory, "");
		};
		const show = () => {
			rmSync(directory);
			renameSync(moved, directory);
		};
		watch.check();
		hide();
		expect(watch.check()).toBeNull();
		show();
		writePanic(directory, "drill", 1);
		watch.check();
		hide();
		expect(watch.check()).toMatchObject({ reason: "drill" });
		expect(lines.filter((line) => line.includes("nobody can tell"))).toHaveLength(2);
		show();
	});
});

test("what could not be recorded holds in memory, until it is released", async () => {
	const { watch, alerts } = setUp();
	const enforcer = {
		state: { state: "open", reason: "", generation: 1, elements: 0 } as const,
		letAllPass: async () => "",
		reload: async () => {},
	};
	const verbs = panicVerbs(watch, enforcer);
	const request = { verb: "panic-open", unrecorded: "a full disk\u001b" } as const;
	expect(await verbs["panic-open"](request)).toMatchObject({ ok: true });
	expect(watch.check()).toMatchObject({ reason: "a full disk" });
	const since = watch.state?.since;
	await verbs["panic-open"](request);
	expect(watch.state?.since).toBe(since ?? "");
	await verbs.resume();
	expect(watch.check()).toBeNull();
	expect(alerts).toHaveLength(2);
});

describe("the verbs of panic-open and resume", () => {
	const enforcer = (state: "active" | "disabled" | "unavailable" | "open", error = "") => {
		const asked: string[] = [];
		return {
			asked,
			state: { state, reason: error, generation: 1, elements: 0 },
			letAllPass: async () => {
				asked.push("open");
				return error;
			},
			reload: async () => void asked.push("reload"),
		};
	};
	const open = { since: "2026-01-01T00:00:00.000Z", reason: "r" };
	const seen = (state: typeof open | null) => ({ check: () => state, hold: () => {}, release: () => {} });
	const request = { verb: "panic-open" } as const;

	test("panic-open opens only what a record says, and says what failed", async () => {
		const stray = enforcer("active");
		expect(await panicVerbs(seen(null), stray)["panic-open"](request)).toMatchObject({ ok: false });
		expect(stray.asked).toEqual([]);
		const good = enforcer("open");
		expect(await panicVerbs(seen(open), good)["panic-open"](request)).toMatchObject({ ok: true });
		expect(good.asked).toEqual(["open"]);
		expect(await panicVerbs(seen(open), enforcer("unavailable", "no memory"))["panic-open"](request)).toEqual(
			{
				ok: false,
				message: "no memory",
			},
		);
		expect(await panicVerbs(seen(open), enforcer("disabled"))["panic-open"](request)).toMatchObject({
			ok: true,
		});
	});

	test("resume reloads only when the record is gone, and says what is enforced then", async () => {
		const stray = enforcer("open");
		expect(await panicVerbs(seen(open), stray).resume()).toMatchObject({ ok: false });
		expect(stray.asked).toEqual([]);
		const good = enforcer("active");
		expect(await panicVerbs(seen(null), good).resume()).toMatchObject({ ok: true });
		expect(good.asked).toEqual(["reload"]);
		expect(await panicVerbs(seen(null), enforcer("unavailable", "no memory")).resume()).toMatchObject({
			ok: false,
			message: expect.stringContaining("no memory"),
		});
		expect(await panicVerbs(seen(null), enforcer("disabled")).resume()).toMatchObject({ ok: true });
	});
});
