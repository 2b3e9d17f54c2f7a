import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignatureMonitor } from "../../../src/daemon/monitors/signature-monitor.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { raiseSerial, readSerial, serialPath } from "../../../src/state/policy-serial.ts";
import { noteReset } from "../../../src/state/serial-reset.ts";

const alerts: Alert[] = [];
let stateDirectory: string;
let monitor: SignatureMonitor;
beforeEach(() => {
	alerts.length = 0;
	stateDirectory = mkdtempSync(join(tmpdir(), "portward-signature-monitor."));
	monitor = new SignatureMonitor({
		sink: { publish: (more) => void alerts.push(...more) },
		identity: { clusterName: "c", hostName: "h", nodeId: "n" },
		log: { info: () => {}, warn: () => {}, error: () => {} },
		stateDirectory,
	});
});
afterEach(() => rmSync(stateDirectory, { recursive: true }));

const fine = { ok: true, problem: null, remedy: "", standing: null } as const;
const refused = (problem: string) =>
	({ ok: false, offered: null, accepted: 4, problem, remedy: "do", standing: "signed" }) as const;

test("a refusal is alerted once for each reason, and again when it has gone and come back", () => {
	expect([monitor.state, monitor.warnings]).toEqual([null, []]);
	monitor.read({ ...fine, offered: 5, accepted: 4 }, "/p");
	expect(monitor.state).toEqual({ ...fine, serial: 5 });
	expect(monitor.warnings).toEqual([]);
	for (let again = 0; again < 3; again++) monitor.read(refused("a"), "/p");
	expect(monitor.state).toEqual({ ok: false, serial: 4, problem: "a", remedy: "do", standing: "signed" });
	expect(monitor.warnings).toEqual(["the policy directory is refused: a; do"]);
	monitor.read(refused("b"), "/p");
	monitor.read({ ...fine, offered: 5, accepted: 5 }, "/p");
	monitor.read(refused("b"), "/p");
	expect(alerts.map(({ Message }) => /refused: (\w);/u.exec(Message)?.[1])).toEqual(["a", "b", "b"]);
	expect(alerts[0]?.Message).toContain("in force is what was signed before");
	monitor.read({ ...refused("c"), standing: "none" }, "/p");
	expect(alerts.at(-1)?.Message).not.toContain("in force is what was signed before");
	monitor.read(null, "/p");
	expect(monitor.state).toBeNull();
});

test("a serial that is reset is forgotten, and alerted with who did it", () => {
	raiseSerial(stateDirectory, { serial: 3, digest: "0".repeat(64) });
	expect(monitor.reset("process 7 of root")).toEqual({ ok: true, message: "the serial is reset" });
	expect(readSerial(stateDirectory)).toEqual({ ok: true, set: null, problem: null });
	expect(existsSync(serialPath(stateDirectory))).toBe(false);
	expect(alerts).toMatchObject([{ Tags: "SIGNATURE", EventData: { By: "process 7 of root" } }]);
});

test("one that was reset while no daemon ran is alerted at the next start, once", () => {
	monitor.start();
	expect(alerts).toEqual([]);
	expect(noteReset(stateDirectory, "process 9 of root")).toBe(null);
	monitor.start();
	monitor.start();
	expect(alerts).toMatchObject([{ EventData: { By: "process 9 of root" } }]);
});
