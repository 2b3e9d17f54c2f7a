import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignatureDesk } from "../../src/daemon/signature-desk.ts";
import type { Alert } from "../../src/report/alert.ts";
import { raiseSerial, readSerial, serialPath } from "../../src/state/policy-serial.ts";
import { noteReset } from "../../src/state/serial-reset.ts";

const alerts: Alert[] = [];
let stateDirectory: string;
let desk: SignatureDesk;
beforeEach(() => {
	alerts.length = 0;
	stateDirectory = mkdtempSync(join(tmpdir(), "portward-signature-desk."));
	desk = new SignatureDesk({
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
	expect([desk.state, desk.warnings]).toEqual([null, []]);
	desk.read({ ...fine, offered: 5, accepted: 4 }, "/p");
	expect(desk.state).toEqual({ ...fine, serial: 5 });
	expect(desk.warnings).toEqual([]);
	for (let again = 0; again < 3; again++) desk.read(refused("a"), "/p");
	expect(desk.state).toEqual({ ok: false, serial: 4, problem: "a", remedy: "do", standing: "signed" });
	expect(desk.warnings).toEqual(["the policy directory is refused: a; do"]);
	desk.read(refused("b"), "/p");
	desk.read({ ...fine, offered: 5, accepted: 5 }, "/p");
	desk.read(refused("b"), "/p");
	expect(alerts.map(({ Message }) => Message.slice(-1))).toEqual(["a", "b", "b"]);
	expect(alerts[0]?.Message).toContain("in force is what was signed before");
	desk.read({ ...refused("c"), standing: "none" }, "/p");
	expect(alerts.at(-1)?.Message).not.toContain("in force is what was signed before");
	desk.read(null, "/p");
	expect(desk.state).toBeNull();
});

test("a serial that is reset is forgotten, and alerted with who did it", () => {
	raiseSerial(stateDirectory, { serial: 3, digest: "0".repeat(64) });
	expect(desk.reset("process 7 of root")).toEqual({ ok: true, message: "the serial is reset" });
	expect(readSerial(stateDirectory)).toEqual({ ok: true, set: null, problem: null });
	expect(existsSync(serialPath(stateDirectory))).toBe(false);
	expect(alerts).toMatchObject([{ Tags: "SIGNATURE", EventData: { By: "process 7 of root" } }]);
});

test("one that was reset while no daemon ran is alerted at the next start, once", () => {
	desk.start();
	expect(alerts).toEqual([]);
	expect(noteReset(stateDirectory, "process 9 of root")).toBe(null);
	desk.start();
	desk.start();
	expect(alerts).toMatchObject([{ EventData: { By: "process 9 of root" } }]);
});
