import { expect, test } from "bun:test";
import { DiagnosticLog } from "../../src/daemon/diagnostic-log.ts";
import { ReloadHistory } from "../../src/daemon/reload-history.ts";
import { createLogger } from "../../src/report/log.ts";

function reloaded(complete: boolean) {
	return { documents: [], diagnostics: [], complete };
}

const active = { state: "active", reason: "", generation: 1, elements: 3 } as const;
const unavailable = { ...active, state: "unavailable", reason: "no nf_tables" } as const;

function history() {
	const lines: string[] = [];
	const log = createLogger({
		format: "json",
		colour: false,
		now: () => 0,
		write: (line) => lines.push(line),
	});
	return { history: new ReloadHistory(new DiagnosticLog(log), log), lines };
}

test("attempts are counted by what became of them", () => {
	const { history: ours } = history();
	ours.ended("applied", 0.25, "", reloaded(true), active);
	ours.ended("applied", 0.5, "", reloaded(false), active);
	ours.ended("refused", null, "too many", reloaded(false), active);
	ours.ended("failed", null, "no memory", reloaded(true), active);
	expect(ours.results).toEqual({ success: 1, partial: 1, failure: 2 });
	expect(ours.duration()).toMatchObject({ count: 2, sum: 0.75 });
});

test("a refusal is no failure, and both last until the next attempt", () => {
	const { history: ours } = history();
	ours.ended("refused", null, "too many", reloaded(false), active);
	expect([ours.refusal, ours.failure]).toEqual(["too many", ""]);
	ours.ended("failed", null, "no memory", reloaded(true), active);
	expect([ours.refusal, ours.failure]).toEqual(["no memory", "no memory"]);
	ours.begin();
	expect([ours.refusal, ours.failure]).toEqual(["", "no memory"]);
	ours.ended("applied", 1, "", reloaded(true), active);
	expect([ours.refusal, ours.failure]).toEqual(["", ""]);
});

test("why nothing can be enforced is logged once, not as a failure of the policies", () => {
	const { history: ours, lines } = history();
	for (let round = 0; round < 2; round++)
		ours.ended("failed", null, "no nf_tables", reloaded(true), unavailable);
	expect(lines.map((line) => JSON.parse(line).level)).toEqual(["error"]);
});

test("the last attempt, and when one last put in force all that is on disk", () => {
	let now = 1000;
	const log = createLogger({ format: "json", colour: false, now: () => 0, write: () => {} });
	const ours = new ReloadHistory(new DiagnosticLog(log), log, () => now);
	expect([ours.last, ours.lastSuccess]).toEqual([null, null]);
	ours.ended("applied", 1, "", reloaded(true), active);
	expect([ours.last, ours.lastSuccess]).toEqual(["success", 1000]);
	now = 2000;
	ours.ended("applied", 1, "", reloaded(false), active);
	expect([ours.last, ours.lastSuccess]).toEqual(["partial", 1000]);
	ours.ended("refused", null, "too many", reloaded(true), active);
	expect([ours.last, ours.lastSuccess]).toEqual(["failure", 1000]);
});
