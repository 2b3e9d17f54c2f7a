import { expect, test } from "bun:test";
import { join } from "node:path";
import { alertHistory, joinAlerts } from "../../../src/cli/status/alert-history.ts";
import { auditedBlock } from "../../../src/report/alert.ts";
import { sampleAlert } from "../../report/sample.ts";
import { Files, portward } from "../support/portward.ts";

const alert = (time: number, PolicyName = "a") =>
	sampleAlert({ UpdatedTime: `2026-01-01T00:00:0${time}Z`, PolicyName });
const lines = (...alerts: readonly unknown[]) => alerts.map((each) => `${JSON.stringify(each)}\n`).join("");
const settings = (file: string | null) => ({
	stdout: true,
	file,
	fileMaxBytes: 4096,
	fileKeep: 2,
	perSecond: 1000,
	buffer: 1,
	sinks: [],
});
const all = { policy: undefined, action: undefined, limit: 100 };

test("the files' alerts, oldest first, the newest that are wanted, whatever else stands there", () => {
	using files = new Files({
		log: `{"carried\n${lines(alert(1, "b"), alert(5))}[]\nnull\n7\n`,
		"log.1": lines(alert(2), alert(4, "b")),
		"log.2": lines(alert(3)),
		"log.3": lines(alert(0)),
	});
	const times = (filter: Partial<Parameters<typeof alertHistory>[1]>) =>
		alertHistory(settings(join(files.path, "log")), { ...all, ...filter })?.map((each) =>
			String((each as { UpdatedTime: string }).UpdatedTime).slice(-2, -1),
		);
	expect(times({})).toEqual(["1", "2", "3", "4", "5"]);
	expect(times({ policy: "b" })).toEqual(["1", "4"]);
	expect(times({ action: "Block" })).toEqual([]);
	expect(times({ limit: 1 })).toEqual(["5"]);
	expect(alertHistory(settings(null), all)).toBeNull();
	expect(alertHistory(settings(join(files.path, "none")), all)).toBeNull();
	expect(alertHistory(settings(files.path), all)).toBeNull();
});

test("a Block that was only told is found as an Audit", () => {
	const told = { ...alert(2), Action: auditedBlock };
	using files = new Files({ log: lines(alert(1), told, { ...alert(3), Action: "Block" }) });
	const found = (action: string) => alertHistory(settings(join(files.path, "log")), { ...all, action });
	expect(found("Audit")).toEqual([alert(1), told]);
	expect(found("Block")).toHaveLength(1);
});

test("what the daemon remembers too is not repeated", () => {
	expect(joinAlerts([alert(1), alert(2)], [alert(2), alert(3)])).toEqual([alert(1), alert(2), alert(3)]);
});

test("with no daemon the file's alerts are printed, and it is said that it does not run", async () => {
	using files = new Files({ log: lines(alert(1), alert(2)) });
	const config = files.config({
		stateDir: files.path,
		table: "nowhere",
		alerts: { file: join(files.path, "log") },
	});
	const { code, out, error } = await portward("alerts", "--config", config);
	expect(code).toBe(0);
	expect(out.split("\n")).toHaveLength(3);
	expect(error).toContain("The daemon is not running.");
	const without = files.config({ stateDir: files.path, table: "nowhere" });
	expect((await portward("alerts", "--config", without)).code).toBe(1);
});
